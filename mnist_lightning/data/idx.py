"""Read the IDX files in which MNIST is distributed, trusting nothing they say.

The format (http://yann.lecun.com/exdb/mnist): two zero bytes, a type code (8: unsigned bytes), the
number of dimensions, each dimension as a big-endian 32-bit number, then the values.
"""

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from mnist_lightning.data.checks import REMEDY, as_digits, decompressed_limit
from mnist_lightning.data.digits import Digits
from mnist_lightning.errors import DataError

_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK_BYTES = 1 << 20
_LABELS, _IMAGES = bytes([0, 0, 8, 1]), bytes([0, 0, 8, 3])
_MEANINGS = {_LABELS: "labels", _IMAGES: "images", b"": "an empty file"}


def read_idx(path: Path, *, ndim: int) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, plain or compressed with gzip.

    Which of the two it is is told by its content: browsers decompress silently and keep the name.
    There is one copy in memory, and never more than the file's size justifies.

    Args:
        path: The file.
        ndim: The number of dimensions it must have: 3 for images, 1 for labels.

    Returns:
        uint8, of the shape that the file declares, writable; at least one value.

    Raises:
        DataError: The file is missing, unreadable, damaged, or holds something else.
    """
    with _opened(path) as file:
        shape = _read_shape(file, path, ndim)
        if isinstance(file, gzip.GzipFile):
            values = _decompress(file, path, math.prod(shape))
        else:
            available = path.stat().st_size - file.tell()
            _check_count(path, math.prod(shape), available)
            values = np.fromfile(file, dtype=np.uint8, count=math.prod(shape))
            _check_count(path, math.prod(shape), len(values))
    return values.reshape(shape)


def read_image_label_pair(images: Path, labels: Path) -> Digits:
    """Read two IDX files that belong together.

    Args:
        images: The file of N images of 28 x 28 pixels.
        labels: The file of N labels from 0 to 9.

    Raises:
        DataError: One is damaged, they are swapped, or they don't fit each other.
    """
    if _magic(images) == _LABELS and _magic(labels) == _IMAGES:
        raise DataError(f"{images} holds labels and {labels} images: swap their names.")
    return as_digits(
        read_idx(images, ndim=3),
        read_idx(labels, ndim=1),
        images_from=str(images),
        labels_from=str(labels),
    )


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
    """Open a plain or compressed file; what goes wrong inside becomes a DataError."""
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path} is not a file. Move it away, or copy a sound file there.")
        with path.open("rb") as raw:
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
            "Mend its permissions, or copy a sound one there."
        ) from error
    except MemoryError as error:
        raise DataError(f"{path} does not fit into memory. Free some, or use less data.") from error


def _magic(path: Path) -> bytes:
    with _opened(path) as file:
        return file.read(4)


def _read_shape(file: BinaryIO | gzip.GzipFile, path: Path, ndim: int) -> tuple[int, ...]:
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


def _name(magic: bytes) -> str:
    meaning = f" ({_MEANINGS[magic]})" if magic in _MEANINGS else ""
    return f"0x{magic.hex()}{meaning}" if magic else _MEANINGS[magic]


def _decompress(file: gzip.GzipFile, path: Path, count: int) -> NDArray[np.uint8]:
    limit = decompressed_limit(path.stat().st_size)
    if count > limit:
        raise DataError(
            f"{path}: expected {limit:,} values at most for a file of its size, "
            f"found a promise of {count:,}. {REMEDY}"
        )
    values = np.empty(count, dtype=np.uint8)
    filled = 0
    # In pieces, because GzipFile.readinto makes a copy of what it is asked for.
    while got := file.readinto(values.data[filled : filled + _CHUNK_BYTES]):
        filled += got
    _check_count(path, count, filled)
    # Reading past the end is also what makes gzip compare its checksum.
    if file.read(1):
        raise DataError(f"{path}: expected {count:,} values after the header, found more. {REMEDY}")
    return values


def _check_count(path: Path, expected: int, found: int) -> None:
    if found != expected:
        raise DataError(
            f"{path}: expected {expected:,} values after the header, found {found:,}. {REMEDY}"
        )
