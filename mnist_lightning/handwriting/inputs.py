"""What predict is given, file by file, as digits ready for a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mnist_lightning.data.idx import read_idx
from mnist_lightning.data.sources import load_dataset
from mnist_lightning.errors import DataError
from mnist_lightning.handwriting.ink import Invert
from mnist_lightning.handwriting.pages import Grey, read_pages
from mnist_lightning.handwriting.prepare import SIDE, NoInkError, prepare_digit
from mnist_lightning.handwriting.segment import Box, find_digits

_IDX_MAGIC = bytes([0, 0, 8, 3])
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, eq=False)
class InputDigit:
    """One digit to be read.

    Attributes:
        file: Where it comes from, as the user named it.
        page: Page of a PDF, from 1; 1 elsewhere.
        number: Its place on the page, or in the dataset, from 1.
        pixels: uint8, ``(28, 28)``, what a model sees, 0 is background.
        cutout: float32, ``(H, W)``, what it was made from, 0 is black.
        box: Where it is on the page, in pixels of the page at most 1600 long; None in a dataset.
        label: What it is, if that is known.
    """

    file: str
    page: int
    number: int
    pixels: npt.NDArray[np.uint8]
    cutout: Grey
    box: Box | None = None
    label: int | None = None


def expand(paths: list[Path]) -> Iterator[Path]:
    """Replace folders of images by the files in them, sorted; dataset and empty folders stay."""
    for path in paths:
        files = []
        if path.is_dir() and not _is_dataset(path):
            files = [file for file in path.iterdir() if file.is_file() and file.name[0] != "."]
        yield from sorted(files) or [path]


def read_digits(path: Path, invert: Invert) -> list[InputDigit]:
    """Read the digits of one file or one dataset folder.

    Args:
        path: An image, a PDF, an IDX file of images, or a folder with MNIST's IDX files, of which
            the test images are taken.
        invert: See ``find_ink``; datasets are not asked.

    Raises:
        DataError: It cannot be read, or there is no digit on it; the message names it.
    """
    if path.is_dir():
        if not _is_dataset(path):
            raise DataError(f"{path}: there is no file in this folder; name one with images.")
        test = load_dataset(path, "mnist", download=False).test
        labels = test.labels.tolist()
        return _from_dataset(path, test.images[:, 0].numpy(), labels)
    if _is_idx(path):
        return _from_dataset(path, read_idx(path, ndim=3), None)
    digits = []
    for number, page in enumerate(read_pages(path), start=1):
        digits += _on_page(path, number, page, invert)
    if not digits:
        raise DataError(f"{path}: there is no digit to be found on it; see --invert.")
    return digits


def _on_page(path: Path, number: int, page: Grey, invert: Invert) -> list[InputDigit]:
    try:
        found = find_digits(page, invert)
    except DataError as error:
        raise DataError(f"{path}: {error}.") from None
    return [
        InputDigit(
            str(path),
            number,
            place,
            digit.pixels,
            page[digit.box.top : digit.box.bottom, digit.box.left : digit.box.right].copy(),
            digit.box,
        )
        for place, digit in enumerate(found, start=1)
    ]


def _from_dataset(
    path: Path, images: npt.NDArray[np.uint8], labels: list[int] | None
) -> list[InputDigit]:
    digits = []
    for place, image in enumerate(images):
        try:
            pixels = image if image.shape == (SIDE, SIDE) else prepare_digit(image / 255)
        except NoInkError:
            pixels = np.zeros((SIDE, SIDE), dtype=np.uint8)
        # A dataset has light ink on a dark ground; the cutout keeps it so.
        cutout = (image / 255).astype(np.float32)
        label = labels[place] if labels else None
        digits.append(InputDigit(str(path), 1, place + 1, pixels, cutout, None, label))
    return digits


def _is_dataset(folder: Path) -> bool:
    names = ("MNIST/raw", "t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz", "mnist.npz")
    return any((folder / name).exists() for name in names)


def _is_idx(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(4)
    return start == _IDX_MAGIC or (start[:2] == _GZIP_MAGIC and "idx3" in path.name)
