"""Linear maps of the plane around the middle of the image, and shifts; black comes in from outside.

MNIST-C turns, slants and shifts every image by the same amount, in a direction drawn for each.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.ndimage import affine_transform

from mnist_lightning.robustness.draws import Draws, Integers, Pixels

Matrix = npt.NDArray[np.float64]
#: Up, down, left and right, as (rows, columns).
DIRECTIONS = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)])


def turned(images: Pixels, radians: float) -> Pixels:
    """Turn all images by one angle, clockwise as they are seen for positive angles."""
    cosine, sine = np.cos(radians), np.sin(radians)
    return _mapped(images, np.array([[cosine, -sine], [sine, cosine]]))


def rotate(images: Pixels, draws: Draws, radians: float) -> Pixels:
    """Turn each image by an angle, one way or the other.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Of these images.
        radians: The angle; MNIST-C takes 0.2 to 1.
    """
    return _either_way(images, draws, radians, turned)


def shear(images: Pixels, draws: Draws, slope: float) -> Pixels:
    """Slant each image sideways, one way or the other, its middle row in place.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Of these images.
        slope: Angle of the slant in radians, below pi / 2; MNIST-C takes 0.2 to 1.
    """

    def slanted(images: Pixels, radians: float) -> Pixels:
        return _mapped(images, np.array([[1, 0], [np.tan(radians), 1]]))

    return _either_way(images, draws, slope, slanted)


def scale(images: Pixels, draws: Draws, factor: float) -> Pixels:
    """Draw each image smaller, in its middle.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Not used: nothing is random.
        factor: New size by old, above 0 and at most 1; MNIST-C takes 0.9 to 0.5.
    """
    return _mapped(images, np.eye(2) / factor)


def translate(images: Pixels, draws: Draws, pixels: int) -> Pixels:
    """Shift each image along both axes, each one way or the other.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Of these images.
        pixels: How far along each axis, 0 to 27; MNIST-C takes 1 to 5.
    """
    return moved(images, pixels * (2 * draws.integers(0, 1, 2) - 1))


def shift(images: Pixels, draws: Draws, pixels: int) -> Pixels:
    """Shift each image up, down, left or right; the sweep of shifts, not one of the fifteen.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Of these images.
        pixels: How far, 0 to 27.
    """
    return moved(images, pixels * DIRECTIONS[draws.integers(0, 3)])


def moved(images: Pixels, offsets: Integers) -> Pixels:
    """Move each image by whole pixels; what leaves it is lost.

    Args:
        images: uint8, ``(N, 28, 28)``.
        offsets: int64, ``(N, 2)``, down and to the right.
    """
    result = np.zeros_like(images)
    size = images.shape[1]
    for down, right in np.unique(offsets, axis=0).tolist():
        chosen = (offsets == (down, right)).all(axis=1)
        to, source = (_overlap(down, size), _overlap(right, size)), images[chosen]
        part = np.zeros_like(source)
        part[:, to[0], to[1]] = source[:, _overlap(-down, size), _overlap(-right, size)]
        result[chosen] = part
    return result


def _overlap(offset: int, size: int) -> slice:
    return slice(max(offset, 0), max(size + min(offset, 0), 0))


def _either_way(
    images: Pixels, draws: Draws, amount: float, warp: Callable[[Pixels, float], Pixels]
) -> Pixels:
    forwards = draws.integers(0, 1) == 1
    result = np.empty_like(images)
    result[forwards] = warp(images[forwards], amount)
    result[~forwards] = warp(images[~forwards], -amount)
    return result


def _mapped(images: Pixels, inverse: Matrix) -> Pixels:
    """Map all images by one linear map around the middle, bilinearly.

    Args:
        images: uint8, ``(N, 28, 28)``.
        inverse: ``(2, 2)``, from output to input coordinates, (row, column).
    """
    if len(images) == 0:
        return images.copy()
    whole = np.eye(3)
    whole[1:, 1:] = inverse
    middle = np.array([0, *(np.array(images.shape[1:]) - 1) / 2])
    warped = affine_transform(
        images.astype(np.float32), whole, middle - whole @ middle, order=1, mode="grid-constant"
    )
    pixels: Pixels = np.rint(warped).astype(np.uint8)
    return pixels
