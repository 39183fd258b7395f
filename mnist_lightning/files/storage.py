"""Files that are written completely or not at all."""

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

#: Age in seconds from which a temporary file has no writer any more: writing takes minutes at most.
ABANDONED = 3600.0


@contextmanager
def atomic_path(destination: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces ``destination`` when the block succeeds.

    The temporary file is in the same folder and is flushed to the disk before it is moved, so that
    a crash leaves either the old file or the new one. It keeps the suffix of ``destination``,
    because matplotlib and numpy derive the format from it. If the writer is killed, its temporary
    file remains; the next writer of the same destination deletes it once it is an hour old.

    Args:
        destination: Path of the finished file. Its folder is created if missing.

    Yields:
        A path in the same folder, for the caller to write to.

    Raises:
        OSError: The file cannot be written; ``filename`` is the destination.
    """
    temporary = _create_temporary(destination)
    try:
        yield temporary
        # Windows flushes only what is open for writing, and the umask may take that right away.
        with temporary.open("r+b") as file:
            temporary.chmod(0o666 & ~_umask())
            os.fsync(file.fileno())
        temporary.replace(destination)
    except OSError as error:
        # A full disk is reported without a name or with that of the temporary file, which means
        # nothing to the user.
        if error.filename in (None, str(temporary)):
            error.filename = str(destination)
        raise
    finally:
        # If this fails as well, the error above is the one to report.
        with suppress(OSError):
            temporary.unlink()


def copy_file(source: Path, destination: Path) -> None:
    """Copy a file; the destination is replaced in one step."""
    with atomic_path(destination) as temporary:
        shutil.copyfile(source, temporary)


def _create_temporary(destination: Path) -> Path:
    destination.parent.mkdir(parents=True, exist_ok=True)
    prefix, suffix = f".{destination.stem}-", f".tmp{destination.suffix}"
    remove_abandoned(destination.parent, f"{glob.escape(prefix)}*{glob.escape(suffix)}")
    try:
        handle, name = tempfile.mkstemp(dir=destination.parent, prefix=prefix, suffix=suffix)
    except OSError as error:
        error.filename = str(destination)
        raise
    os.close(handle)
    return Path(name)


def remove_abandoned(folder: Path, pattern: str = "**/.*-*.tmp*") -> None:
    """Delete the temporary files of writers that were killed.

    Args:
        folder: The folder to search; it may be missing.
        pattern: Glob pattern of the files; by default all files that ``atomic_path`` creates, in
            subfolders as well.
    """
    for path in folder.glob(pattern):
        # Another run may delete it at the same time.
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > ABANDONED:
                path.unlink()


@contextmanager
def one_writer(folder: Path, name: str) -> Iterator[None]:
    """Let one process at a time write several files that belong together.

    A second process waits and then replaces all of them. The operating system releases the lock of
    a process that dies. On a file system without locks no process waits: each file is still
    complete, and the hashes in the record reveal files that do not belong together.

    Args:
        folder: Folder of the files; it must exist.
        name: Name of the set of files, e.g. of the model.
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
            # A waiting process notices that the file is gone and creates it again.
            with suppress(OSError):
                path.unlink()
            lock.release()


def check_writable(folder: Path, bytes_needed: int, option: str = "--output_dir") -> None:
    """Check before a run that its results can be written.

    Args:
        folder: The value of ``option``; created if missing.
        bytes_needed: Approximate size of the results.
        option: The option that names the folder, for messages.

    Raises:
        OutputError: The folder cannot be created or written to, or its disk is too full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise OutputError(
            f"{option}: nothing can be written to '{folder}' ({error.strerror}); "
            "choose another folder"
        ) from None
    if free < bytes_needed:
        raise OutputError(
            f"{option}: '{folder}' has {free / 1e6:,.0f} MB left and this run needs about "
            f"{bytes_needed / 1e6:,.0f} MB; free space or choose another folder"
        )


def _umask() -> int:
    # mkstemp creates files that only their owner can read, but artefacts are meant to be shared.
    # The umask can only be read by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
