"""Make a digit look the way MNIST was made (LeCun, Bottou, Bengio and Haffner, 1998, section III).

Each digit of NIST was scaled, keeping its proportions, to fit into 20 x 20 pixels, which gave it
its grey levels by anti-aliasing, and was placed in 28 x 28 pixels by its centre of mass.
"""

import numpy as np
import numpy.typing as npt
from skimage.transform import resize

from mnist_lightning.errors import DataError

SIDE = 28
BOX = 20
#: Ink below this share of the darkest is taken for paper when the digit is cropped.
_VISIBLE = 0.2

Ink = npt.NDArray[np.floating]
Pixels = npt.NDArray[np.uint8]


class NoInkError(DataError):
    """There is nothing written on an image."""


def prepare_digit(ink: Ink) -> Pixels:
    """Prepare one digit for a model.

    Args:
        ink: Floats, ``(H, W)``, 0 is paper and 1 is ink, one digit on it.

    Returns:
        uint8, ``(28, 28)``, 0 is background and 255 is the darkest ink of this digit.

    Raises:
        NoInkError: No pixel has any ink (above 0.02).
    """
    ink = np.nan_to_num(np.clip(ink, 0.0, 1.0)).astype(np.float64)
    if ink.size == 0 or ink.max() <= 0.02:
        raise NoInkError("There is nothing written on it.")
    ink = ink / ink.max()
    rows, columns = np.nonzero(ink > _VISIBLE)
    cropped = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = BOX / max(cropped.shape)
    height, width = (max(1, round(side * scale)) for side in cropped.shape)
    fitted = resize(cropped, (height, width), order=1, anti_aliasing=scale < 1, mode="constant")
    fitted = fitted / fitted.max()
    return np.asarray(np.round(_centred(fitted) * 255), dtype=np.uint8)


def _centred(fitted: Ink) -> Ink:
    """Place at most 20 x 20 pixels so that their centre of mass is that of the 28 x 28 canvas."""
    mass = fitted.sum()
    canvas = np.zeros((SIDE, SIDE))
    places = []
    for axis, length in enumerate(fitted.shape):
        centre = (fitted.sum(axis=1 - axis) * np.arange(length)).sum() / mass
        # The whole of the digit stays on the canvas, however uneven its mass is.
        places.append(int(np.clip(round((SIDE - 1) / 2 - centre), 0, SIDE - length)))
    top, left = places
    canvas[top : top + fitted.shape[0], left : left + fitted.shape[1]] = fitted
    return canvas
