"""Files that are either whole or not there."""

import glob
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from mnist_lightning.errors import OutputError

log = logging.getLogger(__name__)

#: Seconds after which a temporary file has no writer any more: none takes longer than minutes.
ABANDONED = 3600.0


@contextmanager
def atomic_path(destination: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``destination`` that takes its place when the block succeeds.

    The temporary file is flushed to the disk before it is moved, so that a crash leaves either
    the old file or the new one. It keeps the suffix of ``destination``, because matplotlib and
    numpy choose the format by it. A writer that is killed leaves its temporary file, which the next
    one for the same destination deletes when it is an hour old.

    Args:
        destination: Where the finished file shall be. Its folder is created if missing.

    Yields:
        A path in the same folder, to be written by the caller.
    """
    temporary = _make_beside(destination)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(destination)
    except OSError as error:
        # A full disk is reported without a name, or with one that nobody has heard of.
        if error.filename in (None, str(temporary)):
            error.filename = str(destination)
        raise
    finally:
        # The error above, if there was one, says more than that the file cannot be deleted either.
        with suppress(OSError):
            temporary.unlink()


def copy_file(source: Path, destination: Path) -> None:
    """Copy a file; the destination is replaced in one step."""
    with atomic_path(destination) as temporary:
        shutil.copyfile(source, temporary)


def _make_beside(destination: Path) -> Path:
    destination.parent.mkdir(parents=True, exist_ok=True)
    prefix, suffix = f".{destination.stem}-", f".tmp{destination.suffix}"
    remove_abandoned(destination.parent, f"{glob.escape(prefix)}*{glob.escape(suffix)}")
    try:
        handle, name = tempfile.mkstemp(dir=destination.parent, prefix=prefix, suffix=suffix)
    except OSError as error:
        # It names a file that nobody has heard of.
        error.filename = str(destination)
        raise
    os.close(handle)
    return Path(name)


def remove_abandoned(folder: Path, pattern: str = "**/.*-*.tmp*") -> None:
    """Delete the temporary files of writers that were killed.

    Args:
        folder: Where to look; it may be missing.
        pattern: Which files; by default all that ``atomic_path`` makes, in folders below as well.
    """
    for path in folder.glob(pattern):
        # Another run may delete it at the same time.
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > ABANDONED:
                path.unlink()


@contextmanager
def one_writer(folder: Path, name: str) -> Iterator[None]:
    """Let one process at a time write several files that belong together.

    A process that comes second waits, and then replaces all of them. The operating system frees
    the lock of a process that dies. Where a disk knows no locks, nobody waits: the files are whole
    all the same, and their record tells by their hashes if they do not belong together.

    Args:
        folder: Where the files are; it exists.
        name: What they belong to.
    """
    path = folder / f".{name}.lock"
    lock = FileLock(path)
    with suppress(OSError, NotImplementedError):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("Another run is writing its results of %s to %s: waiting for it", name, folder)
            lock.acquire()
    try:
        yield
    finally:
        if lock.is_locked:
            # Whoever waits for it notices that it is gone, and makes it anew.
            with suppress(OSError):
                path.unlink()
            lock.release()


def check_writable(folder: Path, bytes_needed: int) -> None:
    """Find out before any work is done whether its results can be written.

    Args:
        folder: Where they are to be written; it is created if missing.
        bytes_needed: About how much they take.

    Raises:
        OutputError: The folder cannot be made or written to, or its disk is too full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise OutputError(
            f"--output_dir: nothing can be written to '{folder}' ({error.strerror}); "
            "choose another folder"
        ) from None
    if free < bytes_needed:
        raise OutputError(
            f"--output_dir: '{folder}' has {free / 1e6:,.0f} MB left and this run needs about "
            f"{bytes_needed / 1e6:,.0f} MB; make room or choose another folder"
        )


def _umask() -> int:
    # mkstemp makes files that only their owner can read; artefacts are meant to be shared. The
    # umask can only be read by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
