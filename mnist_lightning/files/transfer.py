"""Read a URL in bounded time.

A socket time-out bounds one wait for the network, not a download: name resolution heeds none, and
a server that sends a byte now and then never runs into it. So a thread talks to the network, and
the caller waits for what it delivers no longer than it chooses.
"""

import http.client
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from urllib.error import HTTPError, URLError
from urllib.request import Request, build_opener

BLOCK_BYTES = 1 << 16
MIN_BYTES_PER_SECOND = 8192
"""A server that sends less is given up; the slowest mobile networks bring about 20,000."""

_USER_AGENT = "mnist-lightning"
_REASON_CHARACTERS = 200


class TransferError(Exception):
    """The network did not deliver; the message is the reason in a few words.

    Attributes:
        status: The HTTP status where the server refused, otherwise ``None``.
    """

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Answer:
    """What a server says before it sends the content: HTTP status and headers."""

    status: int
    headers: Message


class Transfer:
    """The content of one URL, from byte ``start`` on, as it arrives; to be closed.

    Args:
        url: What to read. Redirects are followed, ten at most.
        start: The first byte asked for. A server may ignore it: see the answer's status.
        timeout: Seconds to wait for a connection and for each piece of the content. The answer,
            and each next ``2 * timeout * MIN_BYTES_PER_SECOND`` bytes, must come within twice
            that time.
    """

    def __init__(self, url: str, *, start: int, timeout: float) -> None:
        headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        self._request = Request(url, headers=headers)
        self._timeout = timeout
        self._patience = 2 * timeout
        self._arrived: queue.Queue[Answer | bytes | TransferError] = queue.Queue(maxsize=64)
        self._abandoned = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        """Let the thread end at its next wake-up, and the connection with it."""
        self._abandoned.set()

    def answer(self) -> Answer:
        """Wait for the server's answer. To be called once, before ``blocks``.

        Raises:
            TransferError: There is no network, no answer in time, or a refusal.
        """
        answer = self._next(self._patience)
        if not isinstance(answer, Answer):
            raise TypeError("the answer has been read already")
        return answer

    def blocks(self) -> Iterator[bytes]:
        """Yield the content as it arrives, until the server ends it.

        Raises:
            TransferError: The connection broke, or the content comes too slowly.
        """
        due = int(self._patience * MIN_BYTES_PER_SECOND)
        deadline, received = time.monotonic() + self._patience, 0
        while block := self._next(deadline - time.monotonic()):
            if not isinstance(block, bytes):
                raise TypeError("the answer has not been read yet")
            received += len(block)
            if received >= due:
                deadline, received = time.monotonic() + self._patience, 0
            yield block

    def _next(self, seconds: float) -> Answer | bytes:
        try:
            item = self._arrived.get(timeout=max(0.0, seconds))
        except queue.Empty:
            raise TransferError("the server is silent or too slow") from None
        if isinstance(item, TransferError):
            raise item
        return item

    def _run(self) -> None:
        try:
            with build_opener().open(self._request, timeout=self._timeout) as response:
                self._put(Answer(response.status, response.headers))
                while not self._abandoned.is_set() and (block := response.read1(BLOCK_BYTES)):
                    self._put(block)
            self._put(b"")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._put(_as_transfer_error(error))

    def _put(self, item: Answer | bytes | TransferError) -> None:
        while not self._abandoned.is_set():
            with suppress(queue.Full):
                return self._arrived.put(item, timeout=0.1)
        return None


def first_to_answer(urls: Sequence[str], seconds: float) -> str | None:
    """Ask all URLs at once for their headers and name the first whose server answers.

    Any HTTP status counts as an answer: it proves that there is a network.

    Args:
        urls: What to ask for.
        seconds: How long to wait for all of them together.

    Returns:
        One of ``urls``, or ``None`` where nobody answered in time.
    """
    answers: queue.Queue[str | None] = queue.Queue()

    def ask(url: str, request: Request) -> None:
        try:
            build_opener().open(request, timeout=seconds).close()
        except HTTPError as error:
            error.close()
        except (OSError, http.client.HTTPException, ValueError):
            return answers.put(None)
        return answers.put(url)

    for url in urls:
        request = Request(url, method="HEAD", headers={"User-Agent": _USER_AGENT})
        threading.Thread(target=ask, args=(url, request), daemon=True).start()
    deadline = time.monotonic() + seconds
    for _ in urls:
        try:
            answering = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return None
        if answering is not None:
            return answering
    return None


def _as_transfer_error(error: Exception) -> TransferError:
    if isinstance(error, HTTPError):
        error.close()
        # A redirect loop is told in several lines, of which the first says it all.
        reason = str(error.msg).strip().partition("\n")[0]
        return TransferError(_harmless(f"HTTP {error.code} {reason}"), error.code)
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return TransferError("the server does not answer in time")
    return TransferError(_harmless(str(cause)) or type(cause).__name__)


def _harmless(text: str) -> str:
    """Shorten a stranger's words to one line that does nothing to a terminal but show."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(shown.split())[:_REASON_CHARACTERS]
