"""A reader of IDX files, the format of MNIST, that trusts nothing in them.

The format (http://yann.lecun.com/exdb/mnist): two zero bytes, a type code (8: unsigned bytes), the
number of dimensions, each dimension as a big-endian 32-bit number, then the values. torchvision's
reader allocates whatever the header declares and reports damage as a failed assertion.
"""

import gzip
import io
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_lightning.data.checks import REMEDY, as_digits, check_declared_size
from mnist_lightning.data.digits import SIDE, Digits
from mnist_lightning.errors import DataError
from mnist_lightning.files.regular_file import open_regular

MIN_SIDE, MAX_SIDE = 8, 512
"""Sides of an image in pixels; scikit-learn's digits have 8."""
MAX_IMAGES = 10_000_000
"""The largest set of digits, infinite MNIST, has 8,100,000."""

_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK_BYTES = 1 << 20
_MEANINGS = {bytes([0, 0, 8, 1]): "labels", bytes([0, 0, 8, 3]): "images"}


def read_idx(path: Path, *, ndim: int, max_images: int = MAX_IMAGES) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, plain or compressed with gzip.

    Compression is recognised by the content, because browsers may decompress a file and keep its
    name. The values are in memory once, and a file that declares more than its size can hold is
    refused before memory is allocated.

    Args:
        path: The file.
        ndim: The number of dimensions it must have: 3 for images, 1 for labels.
        max_images: Number of images, or labels, up to which it is read. Of larger images than
            MNIST's, it is read up to as many pixels.

    Returns:
        uint8, of the declared shape, writable; at least one value. Images have sides from 8 to 512.

    Raises:
        DataError: The file is missing, unreadable, damaged, too large, or has other content.
    """
    with _opened(path) as file:
        shape = _read_shape(file, path, ndim)
        _check_limits(path, shape, max_images)
        count = math.prod(shape)
        check_declared_size(path, count)
        values = np.empty(count, dtype=np.uint8)
        filled = 0
        # In chunks, because GzipFile.readinto copies as much as it is asked for.
        while got := file.readinto(values.data[filled : filled + _CHUNK_BYTES]):
            filled += got
        # Reading past the end also makes gzip compare its checksum.
        more = bool(file.read(1))
    if more or filled < count:
        found = "more" if more else f"{filled:,}"
        raise DataError(
            f"{path}: expected {count:,} values after the header, found {found}. {REMEDY}"
        )
    return values.reshape(shape)


def read_image_label_pair(images: Path, labels: Path) -> Digits:
    """Read two IDX files that belong together.

    Args:
        images: The file of N images of 28 x 28 pixels.
        labels: The file of N labels from 0 to 9.

    Raises:
        DataError: One of them is damaged, or they do not belong together.
    """
    return as_digits(
        read_idx(images, ndim=3),
        read_idx(labels, ndim=1),
        images_from=str(images),
        labels_from=str(labels),
    )


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader | gzip.GzipFile]:
    """Open a plain or compressed file, and turn errors in the block into a DataError."""
    try:
        with open_regular(path, error=DataError) as raw:
            if raw.peek(2)[:2] == _GZIP_MAGIC:
                with gzip.GzipFile(fileobj=raw) as compressed:
                    yield compressed
            else:
                yield raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is a damaged gzip file ({error}). {REMEDY}") from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}. "
            "Fix its permissions, or copy an intact file there."
        ) from error
    except MemoryError as error:
        raise DataError(f"{path} does not fit into memory. End other programs.") from error


def _read_shape(file: io.BufferedReader | gzip.GzipFile, path: Path, ndim: int) -> tuple[int, ...]:
    magic, expected = file.read(4), bytes([0, 0, 8, ndim])
    if magic != expected:
        raise DataError(
            f"{path}: expected an IDX file that begins with {_name(expected)}, "
            f"found {_name(magic)}. {REMEDY}"
        )
    header = file.read(4 * ndim)
    shape = tuple(int(size) for size in np.frombuffer(header[: len(header) // 4 * 4], dtype=">u4"))
    if len(shape) < ndim or 0 in shape:
        raise DataError(
            f"{path}: expected {ndim} dimensions above zero, found {shape or 'none'}. {REMEDY}"
        )
    return shape


def _check_limits(path: Path, shape: tuple[int, ...], max_images: int) -> None:
    """Refuse images that are no digits, and more of them than a program can work through."""
    number, *sides = shape
    wrong = [side for side in sides if not MIN_SIDE <= side <= MAX_SIDE]
    if wrong:
        raise DataError(
            f"{path}: expected images with sides from {MIN_SIDE} to {MAX_SIDE} pixels, found "
            f"{wrong[0]:,}. Use a file of images of digits."
        )
    if number > max_images or (sides and math.prod(shape) > max_images * SIDE**2):
        size = f" of {' x '.join(map(str, sides))} pixels" if sides else ""
        raise DataError(
            f"{path}: {number:,} values{size} are more than the {max_images:,} that are read. "
            "Use a smaller file."
        )


def _name(magic: bytes) -> str:
    meaning = f" ({_MEANINGS[magic]})" if magic in _MEANINGS else ""
    return f"0x{magic.hex()}{meaning}" if magic else "an empty file"
