"""Download a file whose SHA-256 is known, from the first of several addresses that delivers it."""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm import tqdm

from mnist_lightning.errors import UserError
from mnist_lightning.files.transfer import Answer, Transfer, TransferError

_ATTEMPTS = 3
_LOCK_SECONDS = 600.0


class DownloadError(UserError):
    """No address delivers the file; the message names each with its reason."""


class DestinationError(DownloadError):
    """The file cannot be written where it shall be: no permission, no space, not a folder."""


class _AttemptError(Exception):
    """One attempt at one address failed; ``again`` says whether another is worth its while."""

    def __init__(self, reason: str, *, again: bool = False) -> None:
        super().__init__(reason)
        self.again = again


@dataclass(frozen=True)
class _Job:
    name: str
    part: Path
    sha256: str
    timeout: float
    progress: bool
    max_bytes: int | None


def download(
    urls: Sequence[str],
    destination: Path,
    *,
    sha256: str,
    timeout: float = 5.0,
    progress: bool = True,
    max_bytes: int | None = None,
) -> Path:
    """Have the file with this hash at ``destination``, downloading it only where it is not there.

    What arrives goes to a hidden ``.part`` file beside the destination. It is kept when the
    network breaks, so that the next address or the next call goes on from there, deleted when it
    turns out wrong, and moved into place once its hash is right: the destination is either whole
    or untouched. Several processes may call at once; one downloads, the others wait for it.

    Args:
        urls: HTTP(S) addresses of the same file, tried in this order.
        destination: Where the file shall be. Another file there is replaced, though only by one
            whose hash is right.
        sha256: The SHA-256 of the file, or the first 8 or more of its 64 hexadecimal digits.
        timeout: Seconds to wait for a connection and for each piece of the content. An address
            is given up after twice that time without an answer or without progress.
        progress: Show a progress bar with size, rate and time left, if stderr is a terminal.
        max_bytes: Refuse a longer file. ``None``: refuse what does not fit on the disk.

    Returns:
        ``destination``.

    Raises:
        DownloadError: No address delivered the file.
        DestinationError: The file cannot be written.
        ValueError: ``sha256`` is not a hash, or there are no addresses.
    """
    expected = sha256.lower()
    if not re.fullmatch("[0-9a-f]{8,64}", expected) or not urls:
        raise ValueError("download() needs 8 to 64 hexadecimal digits and an address at least")
    part = destination.with_name(f".{destination.name}.{expected[:16]}.part")
    lock = part.with_suffix(".lock")
    job = _Job(destination.name, part, expected, timeout, progress, max_bytes)
    try:
        if _matches(destination, expected):
            return destination
        destination.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=_LOCK_SECONDS), _nothing_left_over(lock, part):
            if not _matches(destination, expected):
                _fetch_from_any(urls, job, destination)
                _move_into_place(part, destination)
    except Timeout:
        raise DownloadError(
            f"Another process has been downloading {destination} for {_LOCK_SECONDS:.0f} s. "
            "End it, then run again."
        ) from None
    except OSError as error:
        # Trouble of the network has become a TransferError by now, so this is the disk.
        raise DestinationError(
            f"{destination} cannot be written: {error.strerror or error}. "
            "Free space, mend the permissions, or choose another folder."
        ) from error
    return destination


@contextmanager
def _nothing_left_over(lock: Path, part: Path) -> Iterator[None]:
    try:
        yield
    finally:
        # filelock leaves the file on Unix. Whoever waits for it notices that it is gone.
        with suppress(OSError):
            lock.unlink()
        with suppress(OSError):
            if part.stat().st_size == 0:  # nothing to go on from
                part.unlink()


def _fetch_from_any(urls: Sequence[str], job: _Job, destination: Path) -> None:
    reasons = []
    for url in urls:
        reason = _fetch(url, job)
        if reason is None:
            return
        reasons.append(f"{url}: {reason}")
    raise DownloadError(
        f"{job.name} could not be downloaded ({'; '.join(reasons)}). "
        f"Check the network, or put the file at {destination} yourself."
    )


def _fetch(url: str, job: _Job) -> str | None:
    """Complete the part file from one address, or return the reason why that failed."""
    reason = None
    for _ in range(_ATTEMPTS):
        start = job.part.stat().st_size if job.part.exists() else 0
        try:
            if not (start and _matches(job.part, job.sha256)):
                _stream(url, start, job)
            if _matches(job.part, job.sha256):
                return None
            job.part.unlink()
            # The beginning may have come from another address: once more from the first byte.
            raise _AttemptError("it sends another content (wrong SHA-256)", again=start > 0)
        except _AttemptError as error:
            reason = str(error)
            if not error.again:
                break
    return reason


def _stream(url: str, start: int, job: _Job) -> None:
    """Append what one connection brings to the part file."""
    received, total = 0, None
    try:
        with closing(Transfer(url, start=start, timeout=job.timeout)) as transfer:
            answer = transfer.answer()
            start, total = _check_answer(answer, start, job)
            with (
                job.part.open("ab" if start else "wb") as file,
                tqdm(
                    desc=job.name,
                    total=total,
                    initial=start,
                    unit="B",
                    unit_scale=True,
                    disable=None if job.progress else True,
                ) as bar,
            ):
                for block in transfer.blocks():
                    received += len(block)
                    _check_size(start + received, job)
                    file.write(block)
                    bar.update(len(block))
    except TransferError as error:
        if error.status == 416:
            job.part.unlink()
        raise _AttemptError(str(error), again=received > 0 or error.status == 416) from error
    if total is not None and start + received < total:
        raise _AttemptError(
            f"it broke off after {start + received:,} of {total:,} bytes", again=received > 0
        )


def _check_answer(answer: Answer, start: int, job: _Job) -> tuple[int, int | None]:
    """Return the first byte that will come and the file's size, if the server states it."""
    if answer.headers.get_content_type() == "text/html":
        raise _AttemptError("it sends a web page instead of the file")
    if answer.status != 206:
        start = 0
    elif not str(answer.headers["Content-Range"]).startswith(f"bytes {start}-"):
        job.part.unlink()
        raise _AttemptError("it sends another range than asked for", again=True)
    length = str(answer.headers["Content-Length"])
    if not re.fullmatch("[0-9]{1,18}", length):
        return start, None
    total = start + int(length)
    _check_size(total, job)
    if int(length) > shutil.disk_usage(job.part.parent).free:
        raise _AttemptError(f"it announces {total:,} bytes, more than the disk has free")
    return start, total


def _check_size(size: int, job: _Job) -> None:
    if job.max_bytes is not None and size > job.max_bytes:
        job.part.unlink(missing_ok=True)
        raise _AttemptError(f"it sends {size:,} bytes or more, expected {job.max_bytes:,} at most")


def _move_into_place(part: Path, destination: Path) -> None:
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(destination)


def _matches(path: Path, sha256: str) -> bool:
    if not path.is_file():
        return False
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest().startswith(sha256)
