"""Prepares a digit like MNIST (LeCun, Bottou, Bengio and Haffner, 1998, section III).

Each digit of NIST was scaled with its proportions to fit into 20 x 20 pixels, with grey levels from
anti-aliasing, and placed in 28 x 28 pixels by its centre of mass.
"""

import numpy as np
import numpy.typing as npt
from skimage.transform import resize

from mnist_lightning.data.digits import SIDE, Pixels
from mnist_lightning.errors import DataError
from mnist_lightning.handwriting.ink import Invert

BOX = 20
#: An image with less contrast is blank, and a border darker than that is background.
_FAINT, _DARK = 0.1, 0.1
#: Images of a few pixels are enlarged to this side first.
_ENLARGED = 160
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


def read_small(grey: npt.NDArray[np.floating], invert: Invert = "auto") -> Pixels | None:
    """Prepare an image that is no larger than one digit, e.g. of 28x28 or 8x8 pixels.

    Args:
        grey: ``(H, W)``, 0 is black and 1 is white, at most 32 pixels wide and high.
        invert: See ``find_ink``; ``auto`` takes the border for the paper.

    Returns:
        uint8, ``(28, 28)``, as ``prepare_digit``; an image that already is like those of MNIST is
        returned as it is. None if there is no ink.
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = float(np.median(border))
    light = invert == "yes" or (invert == "auto" and paper < grey.mean())
    ink = grey - paper if light else paper - grey
    if ink.max() < _FAINT:
        return None
    as_given = np.asarray(np.round((grey if light else 1 - grey) * 255), dtype=np.uint8)
    if grey.shape == (SIDE, SIDE) and (light if border.mean() < _DARK else _is_ready(as_given)):
        return as_given
    scale = _ENLARGED / max(grey.shape)
    size = [round(scale * side) for side in grey.shape]
    return prepare_digit(resize(ink / ink.max(), size, order=3, mode="constant"))


def _is_ready(image: Pixels) -> bool:
    """Whether the ink is as large and as centred as in MNIST, on an empty background."""
    rows, columns = (np.flatnonzero((image > _DARK * 255).any(axis=axis)) for axis in (1, 0))
    if len(rows) == 0 or abs(max(np.ptp(rows), np.ptp(columns)) + 1 - BOX) > 1:
        return False
    weights = [image.sum(axis=axis) for axis in (1, 0)]
    centres = [(weight * np.arange(SIDE)).sum() / weight.sum() for weight in weights]
    return all(abs(centre - (SIDE - 1) / 2) <= 1 for centre in centres)


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
