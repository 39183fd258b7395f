"""Stroke corruptions: extra lines, inverted stripes and outlines."""

import numpy as np
import numpy.typing as npt
from skimage.feature import canny

from mnist_lightning.data.digits import Pixels
from mnist_lightning.robustness.draws import Draws, Floats, to_floats, to_pixels

#: Scale of the fading of a stroke, in pixels; its ink ends at about two thirds of it.
STROKE_FADING = 2.3
#: Half the height of a zigzag and a quarter of its period, in pixels.
ZIGZAG = 2.0
ZIGZAG_COLUMNS = (2, 25)
STRIPE = 7


def stripe(images: Pixels, draws: Draws) -> Pixels:
    """Invert the outer quarters, so that the digit is on a black stripe between white ones.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Unused; nothing is random.
    """
    striped = images.copy()
    for side in (slice(None, STRIPE), slice(-STRIPE, None)):
        striped[:, :, side] = 255 - striped[:, :, side]
    return striped


def dotted_line(images: Pixels, draws: Draws) -> Pixels:
    """Draw a dashed line from the left border to the right one, dashes and gaps of two pixels.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Random numbers of these images, for the rows of the two ends.
    """
    rows, columns = _grid(images)
    ends = draws.integers(0, images.shape[1] - 2, 2)
    share = columns / (images.shape[2] - 1)
    middle = ends[:, :1, None] + np.diff(ends)[..., None] * share  # (N, 1, 28)
    ink = _ink(rows - middle) * (columns % 4 >= 2)
    return to_pixels(to_floats(images) + ink)


def zigzag(images: Pixels, draws: Draws) -> Pixels:
    """Draw a zigzag across the image, nearly horizontally.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Random numbers of these images, for the first row and the rise or fall.
    """
    rows, columns = _grid(images)
    first = draws.integers(0, images.shape[1] - 2)
    ends = np.stack([first, first + draws.integers(-5, 4)], axis=1)
    left, right = ZIGZAG_COLUMNS
    slope = (ends[:, 1] - ends[:, 0]) / (right - left)
    length = np.hypot(1, slope)[:, None, None]
    slope = slope[:, None, None]
    down, beside = rows - first[:, None, None], columns - left
    # Coordinates along the zigzag's axis and across it.
    along, across = (beside + slope * down) / length, (down - slope * beside) / length
    phase = along / ZIGZAG % 4
    wave = ZIGZAG * np.where(phase < 1, phase, np.where(phase < 3, 2 - phase, phase - 4))
    inside = (along >= 0) & (along <= (right - left) * length)
    return to_pixels(to_floats(images) + _ink(across - wave) * inside)


def canny_edges(images: Pixels, draws: Draws) -> Pixels:
    """Replace each image by its edges: 255 on an edge, 0 elsewhere.

    Canny: A Computational Approach to Edge Detection (IEEE TPAMI 8, 1986). The detector is
    scikit-image's with its defaults, a Gaussian of one pixel and thresholds of 0.1 and 0.2.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Unused; nothing is random.
    """
    edges = np.zeros_like(images)
    for index, values in enumerate(to_floats(images)):
        edges[index] = 255 * canny(values)
    return edges


def _grid(images: Pixels) -> tuple[Floats, Floats]:
    """Return the row ``(28, 1)`` and column ``(1, 28)`` of each pixel."""
    height, width = images.shape[1:]
    rows, columns = np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32)
    return rows[:, None], columns[None, :]


def _ink(distance: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return the ink at a distance from the middle of a stroke: 1 there, 0 beyond 1.5 pixels."""
    near = np.clip(np.abs(distance) / STROKE_FADING, 0, 1 - 1e-9)
    ink: npt.NDArray[np.floating] = np.clip(1 + np.log1p(-near), 0, 1)
    return ink
