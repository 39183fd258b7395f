"""The identity of a file: its name, size and SHA-256."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from mnist_lightning.errors import OutputError
from mnist_lightning.files.limits import Count, FileName, Sha256


@dataclass(frozen=True)
class FileDescription:
    """A file in the same folder as the record that refers to it.

    Attributes:
        name: Its name, without a folder.
        bytes: Its size.
        sha256: Its SHA-256, 64 hexadecimal digits.
    """

    name: FileName
    bytes: Count
    sha256: Sha256


def describe_file(path: Path) -> FileDescription:
    """Describe a file for a record.

    Args:
        path: An existing file.

    Returns:
        Its name, size and hash.
    """
    content = path.read_bytes()
    return FileDescription(path.name, len(content), hashlib.sha256(content).hexdigest())


def check_file(folder: Path, described: FileDescription, remedy: str) -> Path:
    """Check that a file is the one that a record describes.

    Args:
        folder: Folder of the record. Only the last part of the described name is used, so that a
            record cannot refer to files outside of its folder.
        described: The description in the record.
        remedy: What to do if the file is missing or another one, for the message.

    Returns:
        The path of the file.

    Raises:
        OutputError: The file is missing or has another SHA-256.
    """
    path = folder / Path(described.name).name
    if not path.is_file():
        raise OutputError(f"There is no file {path}, which a record names: {remedy}.")
    if describe_file(path).sha256 != described.sha256:
        raise OutputError(f"{path} is not the file that its record names: {remedy}.")
    return path
