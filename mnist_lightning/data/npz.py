"""Read the ``mnist.npz`` of Keras without letting it run code or fill the memory."""

import math
import zipfile
from pathlib import Path
from typing import IO, Any

from numpy.lib import format as npy_format
from numpy.typing import NDArray

from mnist_lightning.data.checks import REMEDY, as_digits, decompressed_limit
from mnist_lightning.data.digits import Digits
from mnist_lightning.errors import DataError

_KEYS = ("x_train", "y_train", "x_test", "y_test")


def read_npz(path: Path) -> tuple[Digits, Digits]:
    """Read the training and the test images from a file like Keras' ``mnist.npz``.

    Args:
        path: An archive of ``x_train`` and ``x_test``, uint8 ``(N, 28, 28)``, and ``y_train`` and
            ``y_test``, integers ``(N,)`` from 0 to 9. Other members are not looked at.

    Returns:
        The training images and the test images.

    Raises:
        DataError: The file is missing, unreadable, damaged, or holds something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {key: _read_member(archive, path, key) for key in _KEYS}
    except DataError:
        raise
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}. "
            "Mend its permissions, or copy a sound one there."
        ) from error
    except Exception as error:
        # zipfile, zlib and numpy's parser raise more than a dozen types on damaged files.
        raise DataError(
            f"{path} is damaged ({type(error).__name__}: {' '.join(str(error).split())}). {REMEDY}"
        ) from error
    train, test = (
        as_digits(
            arrays[f"x_{part}"],
            arrays[f"y_{part}"],
            images_from=f"x_{part} in {path}",
            labels_from=f"y_{part} in {path}",
        )
        for part in ("train", "test")
    )
    return train, test


def _read_member(archive: zipfile.ZipFile, path: Path, key: str) -> NDArray[Any]:
    """Read one array, once its declared size is known to be plausible and kept."""
    try:
        info = archive.getinfo(f"{key}.npy")
    except KeyError:
        # As Python writes them: the names are a stranger's and may hold line ends and the like.
        found = ", ".join(repr(name.removesuffix(".npy")) for name in archive.namelist()[:8])
        raise DataError(
            f"{path}: expected the arrays {', '.join(_KEYS)}, found {found or 'none'}. {REMEDY}"
        ) from None
    # The compressed size that the archive states is no better witness than the other one.
    limit = decompressed_limit(path.stat().st_size)
    if info.file_size > limit:
        raise DataError(
            f"{key} in {path}: expected {limit:,} bytes at most for a file of its size, "
            f"found a promise of {info.file_size:,}. {REMEDY}"
        )
    with archive.open(info) as member:
        _check_promise(member, info.file_size, f"{key} in {path}")
    with archive.open(info) as member:
        array: NDArray[Any] = npy_format.read_array(member, allow_pickle=False)
    return array


def _check_promise(member: IO[bytes], size: int, name: str) -> None:
    """Compare the array's header with the member's size: numpy allocates what the header says."""
    version = npy_format.read_magic(member)
    if version == (1, 0):
        shape, _, dtype = npy_format.read_array_header_1_0(member)
    else:
        shape, _, dtype = npy_format.read_array_header_2_0(member)
    if dtype.kind not in "iu":
        raise DataError(f"{name}: expected whole numbers, found {dtype}. {REMEDY}")
    expected = member.tell() + math.prod(shape) * dtype.itemsize
    if expected != size:
        raise DataError(f"{name}: expected {expected:,} bytes, found {size:,}. {REMEDY}")
