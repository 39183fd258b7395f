"""A reader of ``train.csv`` of Kaggle's competition *Digit Recognizer*."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import from_numpy

from mnist_lightning.data.checks import REMEDY, as_digits
from mnist_lightning.data.digits import SIDE, Digits
from mnist_lightning.data.stratification import stratified_split
from mnist_lightning.errors import DataError
from mnist_lightning.files.regular_file import open_regular

NAME = "Kaggle train.csv"
"""The dataset's name: results on these test images are not results on those of MNIST."""
TEST_SHARE = 1 / 7
"""As in MNIST, which has one test image to six for training."""
MAX_BYTES = 1 << 30
"""Kaggle's file has 77 MB."""

_HEADER = ["label", *(f"pixel{index}" for index in range(SIDE**2))]
_CHUNK_ROWS = 1000


def is_kaggle(path: Path) -> bool:
    """Return whether a file begins with the line ``label,pixel0,...,pixel783``.

    Raises:
        DataError: It is not a regular file, or larger than any such table.
        OSError: It cannot be read.
    """
    with open_regular(path, max_bytes=MAX_BYTES, error=DataError) as file:
        line = file.readline(1 << 14)
    return line.decode("utf-8-sig", "replace").replace('"', "").strip().split(",") == _HEADER


def read_kaggle(path: Path) -> tuple[Digits, Digits]:
    """Read the table and split off a test set, because Kaggle's own ``test.csv`` has no labels.

    Args:
        path: A file that :func:`is_kaggle` accepts: one image per row, its label first, then its
            784 pixels from 0 to 255.

    Returns:
        The training images, and a seventh of the images as the test images, stratified by digit
        and the same in every run.

    Raises:
        DataError: The file is damaged, or has too few images of a digit to split.
    """
    table = _read_table(path)
    digits = as_digits(
        table[:, 1:].reshape(-1, SIDE, SIDE),
        table[:, 0],
        images_from=f"the pixels in {path}",
        labels_from=f"the labels in {path}",
    )
    try:
        parts = stratified_split(digits.labels.numpy(), TEST_SHARE)
    except ValueError as error:
        raise DataError(
            f"The {len(digits):,} images in {path} cannot be split into training and test: at "
            "least 70 are needed, and two of each digit that occurs. Use the whole table."
        ) from error
    train, test = (digits[from_numpy(np.sort(part))] for part in parts)
    return train, test


def _read_table(path: Path) -> NDArray[np.uint8]:
    try:
        with open_regular(path, max_bytes=MAX_BYTES, error=DataError) as file:
            # The names of the columns would allow a row with one value too many.
            file.readline()
            # In chunks, because int64 takes eight times the memory.
            chunks = pd.read_csv(file, header=None, dtype=np.int64, chunksize=_CHUNK_ROWS)
            table = np.concatenate([_as_bytes(chunk.to_numpy()) for chunk in chunks])
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"{path} is damaged: it must contain whole numbers from 0 to 255, 785 in a row "
            f"({' '.join(str(error).split()):.120}). {REMEDY}"
        ) from error
    if table.shape[1] != len(_HEADER):
        raise DataError(f"{path}: expected 785 columns, found {table.shape[1]}. {REMEDY}")
    return table


def _as_bytes(values: NDArray[np.int64]) -> NDArray[np.uint8]:
    # With numpy 1, pandas would wrap a value outside of the range round instead of refusing it.
    if values.size and not 0 <= values.min() <= values.max() <= 255:
        raise ValueError(f"found values from {values.min()} to {values.max()}")
    return values.astype(np.uint8)
