"""Reads digits from images, PDFs and datasets, ready for a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_lightning.data.digits import SIDE, Pixels
from mnist_lightning.data.idx import read_idx
from mnist_lightning.data.sources import is_dataset, load_dataset
from mnist_lightning.errors import DataError
from mnist_lightning.handwriting.colour import Grey
from mnist_lightning.handwriting.decoding import Decoder
from mnist_lightning.handwriting.ink import Invert
from mnist_lightning.handwriting.prepare import NoInkError, prepare_digit, read_small
from mnist_lightning.handwriting.segment import Box, FoundDigit, find_digits

#: IDX files with more images are refused: each image is prepared separately and kept in memory.
MAX_IDX_IMAGES = 300_000

_IDX_MAGIC = bytes([0, 0, 8, 3])
#: An image with no longer side shows one digit.
_ONE_DIGIT = 32
_LABELS = {str(digit) for digit in range(10)}
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, eq=False)
class InputDigit:
    """One digit to classify.

    Attributes:
        file: The file or folder that contains it, as the user named it.
        page: Page of a PDF or frame of an image, from 1.
        number: Its number on the page or in the dataset, from 1.
        pixels: uint8, ``(28, 28)``, the input of the models, 0 is background.
        cutout: float32, ``(H, W)``, the part of the page it was made from, 0 is black.
        box: Its position on the page, in pixels of the page scaled to at most 1600; None in a
            dataset.
        label: The true digit, if known from a dataset or from the name of the folder.
    """

    file: str
    page: int
    number: int
    pixels: Pixels
    cutout: Grey
    box: Box | None = None
    label: int | None = None


def expand(paths: list[Path]) -> Iterator[Path]:
    """Replace folders by the files in and below them, sorted; except datasets and empty folders."""
    for path in paths:
        if path.is_dir() and not is_dataset(path):
            yield from list(_files_below(path)) or [path]
        else:
            yield path


def _files_below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name[0] == ".":
            continue
        # Links to folders may lead in circles.
        if path.is_dir() and not path.is_symlink() and not is_dataset(path):
            yield from _files_below(path)
        elif path.is_file() or is_dataset(path):
            yield path


def read_digits(path: Path, invert: Invert, decoder: Decoder | None = None) -> list[InputDigit]:
    """Read the digits of one file or one dataset folder.

    An image in a folder that is named 0 to 9 has that label.

    Args:
        path: An image, a PDF, an IDX file of images, or a folder with MNIST's files, from which
            the test images are read.
        invert: See ``find_ink``; ignored for datasets.
        decoder: Decodes images and PDFs; by default a process is started for this file.

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
    if decoder is None:
        with Decoder() as own:
            return read_digits(path, invert, own)
    digits = []
    for number, page in enumerate(decoder.read_pages(path), start=1):
        digits += _on_page(path, number, page, invert)
    if not digits:
        raise DataError(f"{path}: no digit was found; see --invert.")
    return digits


def _on_page(path: Path, number: int, page: Grey, invert: Invert) -> list[InputDigit]:
    name = path.parent.name
    label = int(name) if name in _LABELS else None
    if max(page.shape) <= _ONE_DIGIT:
        pixels = read_small(page, invert)
        whole = Box(0, page.shape[0], 0, page.shape[1], ())
        found = [] if pixels is None else [FoundDigit(pixels, whole)]
    else:
        try:
            found = find_digits(page, invert)
        except DataError as error:
            raise DataError(f"{path}: {error}.") from None
    digits = []
    for count, digit in enumerate(found, start=1):
        box = digit.box
        cutout = page[box.top : box.bottom, box.left : box.right].copy()
        digits.append(InputDigit(str(path), number, count, digit.pixels, cutout, box, label))
    return digits


def _from_dataset(path: Path, images: Pixels, labels: list[int] | None) -> list[InputDigit]:
    digits = []
    for index, image in enumerate(images):
        # In a dataset the ink is light and the background is dark.
        cutout = (image / 255).astype(np.float32)
        pixels = image if image.shape == (SIDE, SIDE) else _prepared(cutout)
        label = labels[index] if labels else None
        digits.append(InputDigit(str(path), 1, index + 1, pixels, cutout, None, label))
    return digits


def _prepared(image: Grey) -> Pixels:
    with suppress(NoInkError):
        small = max(image.shape) <= _ONE_DIGIT
        pixels = read_small(image, "yes") if small else prepare_digit(image)
        if pixels is not None:
            return pixels
    return np.zeros((SIDE, SIDE), dtype=np.uint8)


def _is_idx(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(4)
    return start == _IDX_MAGIC or (start[:2] == _GZIP_MAGIC and "idx3" in path.name)
