"""Prepares a digit like MNIST (LeCun, Bottou, Bengio and Haffner, 1998, section III).

Each digit of NIST was scaled with its proportions to fit into 20 x 20 pixels, with grey levels from
anti-aliasing, and placed in 28 x 28 pixels by its centre of mass.
"""

import numpy as np
import numpy.typing as npt
from skimage.transform import resize

from mnist_lightning.data.digits import SIDE, Pixels
from mnist_lightning.errors import DataError

BOX = 20
#: When a digit is cropped, ink below this share of the darkest counts as paper.
_VISIBLE = 0.2


class NoInkError(DataError):
    """An image contains no ink."""


def prepare_digit(ink: npt.NDArray[np.floating]) -> Pixels:
    """Prepare one digit for a model.

    Args:
        ink: ``(H, W)``, 0 is paper and 1 is ink, with one digit.

    Returns:
        uint8, ``(28, 28)``, 0 is background and 255 is the darkest ink of this digit.

    Raises:
        NoInkError: No pixel has more than 0.02 ink.
    """
    ink = np.nan_to_num(np.clip(ink, 0.0, 1.0)).astype(np.float64)
    if ink.size == 0 or ink.max() <= 0.02:
        raise NoInkError("there is no ink in the image")
    ink = ink / ink.max()
    rows, columns = np.nonzero(ink > _VISIBLE)
    cropped = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = BOX / max(cropped.shape)
    height, width = (max(1, round(side * scale)) for side in cropped.shape)
    fitted = resize(cropped, (height, width), order=1, anti_aliasing=scale < 1, mode="constant")
    fitted = fitted / fitted.max()
    return np.asarray(np.round(_centred(fitted) * 255), dtype=np.uint8)


def _centred(fitted: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Place at most 20 x 20 pixels with their centre of mass in the middle of 28 x 28 pixels."""
    mass = fitted.sum()
    canvas = np.zeros((SIDE, SIDE))
    corner = []
    for axis, length in enumerate(fitted.shape):
        centre = (fitted.sum(axis=1 - axis) * np.arange(length)).sum() / mass
        # Clipped, so that a digit of uneven mass stays on the canvas.
        corner.append(int(np.clip(round((SIDE - 1) / 2 - centre), 0, SIDE - length)))
    top, left = corner
    canvas[top : top + fitted.shape[0], left : left + fitted.shape[1]] = fitted
    return canvas
