"""Checks that apply to digits from files of every format."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mnist_lightning.data.digits import SIDE, Digits
from mnist_lightning.errors import DataError
from mnist_lightning.files.archives import refuse_bomb

REMEDY = "Move it away and run again to download MNIST, or copy an intact file there."


def check_declared_size(path: Path, declared: int | None = None) -> None:
    """Refuse a file that declares more content than a file of digits of its size can have.

    Handwritten digits compress about five times, deflate achieves a thousand times at most. The
    whole MNIST (55 MB) is accepted from a file of any size.

    Args:
        path: The file.
        declared: Bytes of content that it declares; None reads them from a zip archive.

    Raises:
        DataError: It declares too much, or its table of contents is damaged.
    """
    refuse_bomb(path, declared, ratio=25, always_allowed=64 << 20, error=DataError)


def as_digits(
    images: NDArray[Any], labels: NDArray[Any], *, images_from: str, labels_from: str
) -> Digits:
    """Check a pair of arrays and wrap them without copying the images.

    Args:
        images: uint8, ``(N, 28, 28)``, N at least 1; writable.
        labels: Any integer type, ``(N,)``, each from 0 to 9.
        images_from: Name of the images in messages, e.g. their file.
        labels_from: Name of the labels in messages.

    Raises:
        DataError: An array has another dtype, shape or range; the message names it, with what was
            expected and what was found.
    """
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
        found = f"{images.dtype} of shape {images.shape}"
        raise DataError(
            f"{images_from}: expected uint8 of shape (N, 28, 28), found {found}. {REMEDY}"
        )
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        found = f"{labels.dtype} of shape {labels.shape}"
        raise DataError(f"{labels_from}: expected integers of shape (N,), found {found}. {REMEDY}")
    if len(images) != len(labels) or len(labels) == 0:
        raise DataError(
            f"{images_from} contains {len(images):,} images and {labels_from} {len(labels):,} "
            "labels; expected equal numbers above zero. Replace the wrong file."
        )
    wrong = (labels < 0) | (labels > 9)
    if wrong.any():
        index = int(wrong.argmax())
        raise DataError(
            f"{labels_from}: expected labels from 0 to 9, found {labels[index]} at index {index}. "
            f"{REMEDY}"
        )
    pixels = torch.from_numpy(np.ascontiguousarray(images))
    return Digits(pixels.unsqueeze(1), torch.from_numpy(labels.astype(np.int64)))
