"""Files of digits near a folder without MNIST, to tell the user what was probably meant."""

import os
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path

MAX_NAMED = 4
MAX_DEPTH = 3
"""Levels of subfolders that are searched: torchvision's ``EMNIST/raw`` and one more."""
MAX_ENTRIES = 2_000
"""Files and folders that are looked at, so that a search of a whole disk ends."""

_DIGITS = re.compile(
    r".*(images|labels).?idx[13].*"  # also EMNIST's, zipped ones, and with other separators
    r"|(?!.*mnist.lightning).*mnist.*\.(npz|pkl|pickle|csv|mat|arff|parquet|h5|hdf5|zip|gz|tar|tgz)"
    r"|(mnist_)?(train|test)\.csv(\.zip|\.gz)?|digit-recognizer\.zip"
    r"|(training|test)\.pt",
    re.IGNORECASE,
)


def find_nearby(folder: Path) -> list[Path]:
    """Return files whose names are those of digits, the nearest first.

    Args:
        folder: Where MNIST was looked for. If it does not exist, its parent is searched instead.

    Returns:
        The files in it and in its subfolders, without hidden ones; a folder that cannot be read is
        skipped.
    """
    start = folder if folder.is_dir() else folder.parent
    return [path for path in _walk(start) if _DIGITS.fullmatch(path.name)]


def describe_nearby(folder: Path) -> str:
    """Return a sentence that names up to four files of :func:`find_nearby`, empty without any."""
    found = find_nearby(folder)
    if not found:
        return ""
    names = ", ".join(map(str, found[:MAX_NAMED]))
    more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return f" Near it: {names}{more}."


def _walk(start: Path) -> Iterator[Path]:
    """Yield the files below a folder, those of a folder before those of its subfolders."""
    folders, seen = deque([(start, 0)]), 0
    while folders:
        folder, depth = folders.popleft()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            seen += 1
            if seen > MAX_ENTRIES:
                return
            if entry.name.startswith("."):
                continue
            # A link to a folder may lead back here.
            if entry.is_dir(follow_symlinks=False):
                if depth < MAX_DEPTH:
                    folders.append((folder / entry.name, depth + 1))
            else:
                yield folder / entry.name
