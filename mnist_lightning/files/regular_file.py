"""Opening untrusted files: only regular files of a limited size, no pipes or devices."""

import os
import stat
from io import BufferedReader
from pathlib import Path

from mnist_lightning.errors import UserError

MAX_MODEL_BYTES = 1 << 33
"""Larger models and checkpoints are refused: 90 times the exported ResNet50."""

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def check_regular(
    path: Path, *, max_bytes: int = MAX_MODEL_BYTES, error: type[UserError] = UserError
) -> os.stat_result:
    """Refuse a path that cannot be read to its end: opening a pipe waits, a device is infinite.

    Args:
        path: The file; links are followed. A folder is accepted, because opening it fails.
        max_bytes: Size up to which a regular file is accepted.
        error: Class of the exception.

    Returns:
        The status of the file.

    Raises:
        OSError: The file is missing or not accessible.
        UserError: It is not a regular file, or too large; of the class ``error``.
    """
    status = path.stat()
    if kind := _KINDS.get(stat.S_IFMT(status.st_mode)):
        raise error(f"{path} is {kind}, not a regular file: give a regular file instead.")
    if status.st_size > max_bytes:
        raise error(
            f"{path} has {status.st_size / 1e6:,.0f} MB, more than the {max_bytes / 1e6:,.0f} MB "
            "that such a file can have: use the right file."
        )
    return status


def open_regular(
    path: Path, *, max_bytes: int = MAX_MODEL_BYTES, error: type[UserError] = UserError
) -> BufferedReader:
    """Open a file for reading bytes if ``check_regular`` accepts it; arguments as there."""
    check_regular(path, max_bytes=max_bytes, error=error)
    return path.open("rb")
