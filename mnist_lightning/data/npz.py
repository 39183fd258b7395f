"""A reader of Keras' ``mnist.npz`` that runs no code from the file and bounds its memory."""

import zipfile
from pathlib import Path
from typing import Any

from numpy.lib import format as npy_format
from numpy.typing import NDArray

from mnist_lightning.data.checks import REMEDY, as_digits, check_declared_size
from mnist_lightning.data.digits import Digits
from mnist_lightning.errors import DataError

_KEYS = ("x_train", "y_train", "x_test", "y_test")


def read_npz(path: Path) -> tuple[Digits, Digits]:
    """Read the training and the test images from a file like Keras' ``mnist.npz``.

    Args:
        path: An archive of ``x_train`` and ``x_test``, uint8 ``(N, 28, 28)``, and ``y_train`` and
            ``y_test``, integers ``(N,)`` from 0 to 9. Other members are ignored.

    Returns:
        The training images and the test images.

    Raises:
        DataError: The file is missing, unreadable, damaged, or has other content.
    """
    check_declared_size(path)
    try:
        with zipfile.ZipFile(path) as archive:
            missing = [key for key in _KEYS if f"{key}.npy" not in archive.namelist()]
            if missing:
                raise DataError(f"{path} lacks the arrays {', '.join(missing)}. {REMEDY}")
            arrays = {key: _read_array(archive, key) for key in _KEYS}
    except DataError:
        raise
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}. "
            "Fix its permissions, or copy an intact file there."
        ) from error
    except Exception as error:
        # zipfile, zlib and numpy's parser raise more than a dozen types for damaged files.
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


def _read_array(archive: zipfile.ZipFile, key: str) -> NDArray[Any]:
    # numpy.load would read a file that is not an archive as a pickle, and advise to allow it.
    with archive.open(f"{key}.npy") as member:
        array: NDArray[Any] = npy_format.read_array(member, allow_pickle=False)
    return array
