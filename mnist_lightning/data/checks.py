"""What arrays must be to count as digits, whatever file they come from."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mnist_lightning.data.digits import Digits
from mnist_lightning.errors import DataError

REMEDY = "Delete it and run again to download it, or copy a sound one there."

_ALWAYS_ALLOWED_BYTES = 64 << 20
_MAX_COMPRESSION = 100


def decompressed_limit(compressed_bytes: int) -> int:
    """Return how many bytes a compressed file may become before it counts as a bomb.

    Handwritten digits compress about five times, deflate's maximum is about a thousand times.
    The whole MNIST (47 MB) is below the limit for any file, however small.

    Args:
        compressed_bytes: Size of the compressed file.
    """
    return max(_ALWAYS_ALLOWED_BYTES, _MAX_COMPRESSION * compressed_bytes)


def as_digits(
    images: NDArray[Any], labels: NDArray[Any], *, images_from: str, labels_from: str
) -> Digits:
    """Check a pair of arrays and wrap it without copying the images.

    Args:
        images: uint8, ``(N, 28, 28)``, with N of at least 1; writable.
        labels: Any integer type, ``(N,)``, each from 0 to 9.
        images_from: What to call the images in an error, e.g. their file.
        labels_from: The same for the labels.

    Raises:
        DataError: The arrays are anything else; names the culprit, what was expected and found.
    """
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (28, 28):
        found = f"{images.dtype} of shape {images.shape}"
        raise DataError(
            f"{images_from}: expected uint8 of shape (N, 28, 28), found {found}. {REMEDY}"
        )
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        found = f"{labels.dtype} of shape {labels.shape}"
        raise DataError(f"{labels_from}: expected integers of shape (N,), found {found}. {REMEDY}")
    if len(images) != len(labels) or len(labels) == 0:
        raise DataError(
            f"{images_from} holds {len(images):,} images and {labels_from} {len(labels):,} labels; "
            "expected equal numbers above zero. Replace the file that is wrong."
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
