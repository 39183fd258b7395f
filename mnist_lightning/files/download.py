"""Downloads of files whose SHA-256 is known, bounded in time and size.

``pooch`` talks to the servers. ``pooch.retrieve`` is not used: it has no limit on the total time or
size, compares whole hashes only, and creates files that only their owner can read.
"""

import hashlib
import io
import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed, wait
from concurrent.futures import TimeoutError as FuturesTimeoutError
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pooch
from tqdm import tqdm

from mnist_lightning.errors import UserError
from mnist_lightning.files.storage import atomic_path

MIN_BYTES_PER_SECOND = 1 << 14
"""The slowest transfer that is accepted; the slowest mobile networks manage about 20,000."""

# "identity": a server that unpacks .gz files on the way would send content of another SHA-256.
_HEADERS = {"User-Agent": "mnist-lightning", "Accept-Encoding": "identity"}
_REASON_CHARACTERS = 200


class DownloadError(UserError):
    """No address delivers the file; the message lists each address with its reason."""


class DestinationError(DownloadError):
    """The file cannot be written: no permission, no space, or a file in place of a folder."""


class _RefusedError(Exception):
    """The content that arrives is refused; the message is the reason."""


class _LimitedBuffer(io.BytesIO):
    """Memory that a download is written to until it exceeds a limit of size or of time.

    Args:
        max_bytes: Largest size of the file.
        timeout: Seconds that are allowed on top of those that the slowest transfer needs.
    """

    def __init__(self, max_bytes: int, timeout: float) -> None:
        super().__init__()
        self._max_bytes = max_bytes
        self._end = time.monotonic() + timeout

    def seconds_left(self) -> float:
        """Return how long the next piece may take: every piece that arrives extends the time."""
        return self._end + self.tell() / MIN_BYTES_PER_SECOND - time.monotonic()

    def write(self, piece: Any) -> int:
        """Append a piece; the exception ends the download."""
        if not self.tell() and piece.lstrip().lower().startswith((b"<!doctype", b"<html")):
            raise _RefusedError("it sends a web page instead of the file")
        if self.tell() + len(piece) > self._max_bytes:
            raise _RefusedError(f"it sends more than the expected {self._max_bytes:,} bytes")
        if self.seconds_left() <= 0:
            raise _RefusedError("it is silent or too slow")
        return super().write(piece)


def download(
    urls: Sequence[str], destination: Path, *, sha256: str, max_bytes: int, timeout: float = 10.0
) -> Path:
    """Download a file, unless ``destination`` already is this file.

    The content is kept in memory until its hash is verified, and then replaces ``destination`` in
    one step. Several processes may download the same file at once. A progress bar is shown if
    stderr is a terminal.

    Args:
        urls: HTTP(S) addresses of the same file, tried in this order.
        destination: Where to write the file. A file there that has another hash is replaced.
        sha256: The SHA-256 of the file, or the first 8 or more of its 64 hexadecimal digits.
        max_bytes: Size of the file, or an upper bound.
        timeout: Seconds. An address is given up when it is silent for this long, or after
            ``timeout + received_bytes / MIN_BYTES_PER_SECOND`` seconds in total.

    Returns:
        ``destination``.

    Raises:
        DownloadError: No address delivers the file.
        DestinationError: The file cannot be written.
        ValueError: ``sha256`` is not a hash.
    """
    expected = sha256.lower()
    if not re.fullmatch("[0-9a-f]{8,64}", expected):
        raise ValueError(f"sha256 must be 8 to 64 hexadecimal digits, not {sha256!r}")
    try:
        if destination.is_file() and pooch.file_hash(str(destination)).startswith(expected):
            return destination
        # Created before the download, so that a folder without permission is reported early.
        with atomic_path(destination) as temporary:
            temporary.write_bytes(_fetch_from_any(urls, destination, expected, max_bytes, timeout))
    except OSError as error:
        raise DestinationError(
            f"{destination} cannot be written: {error.strerror or error}. "
            "Free space, fix the permissions, or choose another folder."
        ) from error
    return destination


def first_to_answer(urls: Sequence[str], seconds: float) -> str | None:
    """Ask all addresses at once and return the first whose server answers.

    Any HTTP status counts as an answer: it proves that there is a network.

    Args:
        urls: The addresses.
        seconds: How long to wait for all of them together.

    Returns:
        One of ``urls``, or None if no server answers in time.
    """
    probe = pooch.HTTPDownloader(timeout=seconds)
    asked = {_in_background(probe, url, None, None, True): url for url in urls}
    with suppress(FuturesTimeoutError):
        for future in as_completed(asked, seconds):
            if future.exception() is None:
                return asked[future]
    return None


def _fetch_from_any(
    urls: Sequence[str], destination: Path, sha256: str, max_bytes: int, timeout: float
) -> memoryview:
    reasons = []
    for url in urls:
        content = _fetch(url, destination.name, sha256, max_bytes, timeout)
        if not isinstance(content, str):
            return content
        reasons.append(f"{url}: {content}")
    raise DownloadError(
        f"{destination.name} could not be downloaded ({'; '.join(reasons)}). "
        f"Check the network, or put the file at {destination} yourself."
    )


def _fetch(url: str, name: str, sha256: str, max_bytes: int, timeout: float) -> memoryview | str:
    """Return the verified content of one address, or the reason why it does not deliver it."""
    buffer = _LimitedBuffer(max_bytes, timeout)
    # None hides the bar if there is no terminal.
    hidden = None if logging.getLogger(__name__).isEnabledFor(logging.WARNING) else True
    with tqdm(desc=name, total=max_bytes, unit="B", unit_scale=True, disable=hidden) as bar:
        transfer = _in_background(_transfer, url, buffer, bar, timeout)
        while not transfer.done() and buffer.seconds_left() > 0:
            wait([transfer], buffer.seconds_left())
    if not transfer.done():
        return "it is silent or too slow"
    if error := transfer.exception():
        return _reason(error)
    if not hashlib.sha256(buffer.getbuffer()).hexdigest().startswith(sha256):
        return "it sends other content (wrong SHA-256)"
    return buffer.getbuffer()


def _transfer(url: str, buffer: _LimitedBuffer, bar: Any, timeout: float) -> None:
    with ExitStack() as responses:
        # pooch does not close a response whose content is refused.
        hooks = {"response": lambda response, **_: responses.enter_context(response)}
        get = pooch.HTTPDownloader(bar, 1 << 14, timeout=timeout, headers=_HEADERS, hooks=hooks)
        get(url, buffer, None)


def _in_background(function: Callable[..., Any], *args: Any) -> Future[Any]:
    """Call a function in a daemon thread.

    Socket timeouts do not bound a download: name resolution has none, and a server that sends a
    byte now and then never exceeds one. A daemon thread can be abandoned at any moment; the exit of
    the program waits for the threads of a ThreadPoolExecutor.
    """
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(function(*args))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def _reason(error: BaseException) -> str:
    """Return the innermost cause as one short line; a server may have put anything into it."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    text = str(error).partition(" for url")[0] or type(error).__name__
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:_REASON_CHARACTERS].rstrip(".")
