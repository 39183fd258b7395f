"""What a row of the table of wrong input says."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Mistake(NamedTuple):
    """One wrong command line or wrong file.

    Attributes:
        words: The command line, typed in a folder that holds ``output/`` with the files of two
            trainings, ``data/`` with MNIST-like files, ``page.png`` with five digits, ``report.md``
            and an ``empty/`` folder.
        culprit: What the one line on stderr must name.
        remedy: What it must say about the fix.
        spoil: Damages something in that folder first.
    """

    words: list[str]
    culprit: str
    remedy: str
    spoil: Callable[[Path], object] | None = None


def write(name: str, content: str | bytes) -> Callable[[Path], object]:
    """Make a ``spoil`` that writes a file."""
    data = content.encode() if isinstance(content, str) else content

    def spoil(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    return spoil


def cut(name: str, size: int) -> Callable[[Path], object]:
    """Make a ``spoil`` that keeps the beginning of a file."""

    def spoil(folder: Path) -> None:
        (folder / name).write_bytes((folder / name).read_bytes()[:size])

    return spoil


def delete(name: str) -> Callable[[Path], object]:
    """Make a ``spoil`` that deletes a file."""
    return lambda folder: (folder / name).unlink()
