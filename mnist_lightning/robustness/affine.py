"""Affine corruptions: rotation, shear, scaling and translation, filled with black.

As in MNIST-C, every image is changed by the same amount, in a direction drawn for each. For the
same direction, the four are equal to the published code, apart from the last bit of its floats,
which can move a value that lies between two grey levels by one level.
"""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import affine_transform

from mnist_lightning.data.digits import Pixels
from mnist_lightning.robustness.draws import Draws, Integers

Matrix = npt.NDArray[np.float64]

#: Up, down, left and right, as (rows, columns).
DIRECTIONS = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)])


def rotate(images: Pixels, draws: Draws, radians: float) -> Pixels:
    """Rotate each image clockwise or counterclockwise.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Random numbers of these images.
        radians: The angle; MNIST-C uses 0.2 to 1.
    """
    cosine, sine = np.cos(radians), np.sin(radians)
    inverse = np.array([[cosine, -sine], [sine, cosine]])
    return _either_way(images, draws, inverse, inverse.T)


def shear(images: Pixels, draws: Draws, radians: float) -> Pixels:
    """Slant each image to the left or right; the centre stays in place.

    The published code uses the ``AffineTransform`` of scikit-image 0.15, whose shear tilts the
    vertical axis and keeps its length: a row moves by the sine of the angle times its distance from
    the centre, and the image becomes taller by one over the cosine. Later versions of scikit-image
    shear by the tangent and keep the height.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Random numbers of these images.
        radians: The angle, below pi / 2; MNIST-C uses 0.2 to 1.
    """
    cosine, sine = np.cos(radians), np.sin(radians)
    left, right = np.array([[cosine, 0], [sine, 1]]), np.array([[cosine, 0], [-sine, 1]])
    return _either_way(images, draws, left, right)


def scale(images: Pixels, draws: Draws, factor: float) -> Pixels:
    """Shrink each image towards its centre.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Unused; nothing is random.
        factor: New size divided by the old one, above 0 and at most 1; MNIST-C uses 0.9 to 0.5.
    """
    return _transformed(images, np.eye(2) / factor)


def translate(images: Pixels, draws: Draws, pixels: int) -> Pixels:
    """Shift each image along both axes, in a direction drawn for each axis.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Random numbers of these images.
        pixels: Distance along each axis, 0 to 27; MNIST-C uses 1 to 5.
    """
    return moved(images, pixels * (2 * draws.integers(0, 1, 2) - 1))


def shift(images: Pixels, draws: Draws, pixels: int) -> Pixels:
    """Shift each image up, down, left or right; used for the sweep, not part of MNIST-C.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Random numbers of these images.
        pixels: The distance, 0 to 27.
    """
    return moved(images, pixels * DIRECTIONS[draws.integers(0, 3)])


def moved(images: Pixels, offsets: Integers) -> Pixels:
    """Move each image by whole pixels; pixels moved out of the image are lost.

    Args:
        images: uint8, ``(N, 28, 28)``.
        offsets: int64, ``(N, 2)``, down and to the right.
    """
    margin = int(np.abs(offsets).max(initial=0))
    padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin)))
    every = np.arange(len(images))[:, None, None]
    places = margin - offsets[:, :, None] + np.arange(images.shape[1])  # (N, 2, 28)
    result: Pixels = padded[every, places[:, 0, :, None], places[:, 1, None, :]]
    return result


def _either_way(images: Pixels, draws: Draws, forwards: Matrix, backwards: Matrix) -> Pixels:
    chosen = draws.integers(0, 1)
    result = np.empty_like(images)
    for way, inverse in enumerate((backwards, forwards)):
        result[chosen == way] = _transformed(images[chosen == way], inverse)
    return result


def _transformed(images: Pixels, inverse: Matrix) -> Pixels:
    """Apply one linear map around the centre to all images, with bilinear interpolation.

    Args:
        images: uint8, ``(N, 28, 28)``.
        inverse: ``(2, 2)``, from output to input coordinates, (row, column).
    """
    matrix = np.eye(3)
    matrix[1:, 1:] = inverse
    centre = np.array([0, *(np.array(images.shape[1:]) - 1) / 2])
    warped = affine_transform(
        images.astype(np.float32), matrix, centre - matrix @ centre, order=1, mode="grid-constant"
    )
    pixels: Pixels = np.rint(warped).astype(np.uint8)
    return pixels
