"""Reads digits from images, PDFs and datasets, ready for a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_lightning.data.digits import SIDE, Pixels
from mnist_lightning.data.idx import read_idx
from mnist_lightning.data.sources import is_dataset, load_dataset
from mnist_lightning.errors import DataError
from mnist_lightning.handwriting.ink import Invert
from mnist_lightning.handwriting.pages import Grey, read_pages
from mnist_lightning.handwriting.prepare import NoInkError, prepare_digit
from mnist_lightning.handwriting.segment import Box, find_digits

#: Of an IDX file, more images are refused: each is prepared by itself and kept with its cutout.
MAX_IDX_IMAGES = 300_000

_IDX_MAGIC = bytes([0, 0, 8, 3])
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, eq=False)
class InputDigit:
    """One digit to classify.

    Attributes:
        file: The file or folder that contains it, as the user named it.
        page: Page of a PDF, from 1; 1 for other files.
        number: Its number on the page or in the dataset, from 1.
        pixels: uint8, ``(28, 28)``, the input of the models, 0 is background.
        cutout: float32, ``(H, W)``, the part of the page it was made from, 0 is black.
        box: Its position on the page, in pixels of the page scaled to at most 1600; None in a
            dataset.
        label: The true digit, if known.
    """

    file: str
    page: int
    number: int
    pixels: Pixels
    cutout: Grey
    box: Box | None = None
    label: int | None = None


def expand(paths: list[Path]) -> Iterator[Path]:
    """Replace folders by the files in them, sorted, except datasets and empty folders."""
    for path in paths:
        files = []
        if path.is_dir() and not is_dataset(path):
            files = [file for file in path.iterdir() if file.is_file() and file.name[0] != "."]
        yield from sorted(files) or [path]


def read_digits(path: Path, invert: Invert) -> list[InputDigit]:
    """Read the digits of one file or one dataset folder.

    Args:
        path: An image, a PDF, an IDX file of images, or a folder with MNIST's files, from which
            the test images are read.
        invert: See ``find_ink``; ignored for datasets.

    Raises:
        DataError: The file cannot be read or contains no digits; the message names it.
    """
    if path.is_dir():
        if not is_dataset(path):
            raise DataError(f"{path}: there is no file in this folder; name one with images.")
        test = load_dataset(path, "mnist", download=False).test
        labels = test.labels.tolist()
        return _from_dataset(path, test.images[:, 0].numpy(), labels)
    if _is_idx(path):
        return _from_dataset(path, read_idx(path, ndim=3, max_images=MAX_IDX_IMAGES), None)
    digits = []
    for number, page in enumerate(read_pages(path), start=1):
        digits += _on_page(path, number, page, invert)
    if not digits:
        raise DataError(f"{path}: no digit was found; see --invert.")
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
            count,
            digit.pixels,
            page[digit.box.top : digit.box.bottom, digit.box.left : digit.box.right].copy(),
            digit.box,
        )
        for count, digit in enumerate(found, start=1)
    ]


def _from_dataset(path: Path, images: Pixels, labels: list[int] | None) -> list[InputDigit]:
    digits = []
    for index, image in enumerate(images):
        try:
            pixels = image if image.shape == (SIDE, SIDE) else prepare_digit(image / 255)
        except NoInkError:
            pixels = np.zeros((SIDE, SIDE), dtype=np.uint8)
        # Not inverted: in a dataset the ink is light and the background is dark.
        cutout = (image / 255).astype(np.float32)
        label = labels[index] if labels else None
        digits.append(InputDigit(str(path), 1, index + 1, pixels, cutout, None, label))
    return digits


def _is_idx(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(4)
    return start == _IDX_MAGIC or (start[:2] == _GZIP_MAGIC and "idx3" in path.name)
