"""Strokes and outlines: ink that does not belong to the digit, and the digit without its own."""

import numpy as np
import numpy.typing as npt
from skimage.feature import canny

from mnist_lightning.robustness.draws import Draws, Floats, Integers, Pixels, to_pixels, to_shares

#: Distance from the middle of a stroke, in pixels, at which its ink has long faded out.
STROKE_REACH = 2.3
#: Half the height of a zigzag and a quarter of its period, in pixels.
ZIGZAG = 2.0
ZIGZAG_COLUMNS = (2, 25)
STRIPE = 7


def stripe(images: Pixels, draws: Draws) -> Pixels:
    """Invert the outer quarters, so that the digit stands on a black stripe between white ones.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Not used: nothing is random.
    """
    striped = images.copy()
    for side in (slice(None, STRIPE), slice(-STRIPE, None)):
        striped[:, :, side] = 255 - striped[:, :, side]
    return striped


def dotted_line(images: Pixels, draws: Draws) -> Pixels:
    """Draw a dashed line from the left border to the right one, dashes and gaps of two pixels.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Of these images: the rows where the line begins and ends.
    """
    rows, columns = _grid(images)
    ends = draws.integers(0, images.shape[1] - 2, 2)
    middle = _between(ends, columns, (0, images.shape[2] - 1))
    ink = _ink(rows - middle) * (columns % 4 >= 2)
    return to_pixels(to_shares(images) + ink)


def zigzag(images: Pixels, draws: Draws) -> Pixels:
    """Draw a zigzag across the image, nearly horizontally.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Of these images: the row where it begins, and how far it rises or falls.
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
    return to_pixels(to_shares(images) + _ink(across - wave) * inside)


def canny_edges(images: Pixels, draws: Draws) -> Pixels:
    """Keep nothing but the edges: 255 on an edge, 0 elsewhere.

    Canny: A Computational Approach to Edge Detection (IEEE TPAMI 8, 1986), scikit-image's with its
    default of a Gaussian of one pixel and thresholds of a tenth and a fifth.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Not used: nothing is random.
    """
    edges = np.zeros_like(images)
    for place, shares in enumerate(to_shares(images)):
        edges[place] = 255 * canny(shares)
    return edges


def _grid(images: Pixels) -> tuple[Floats, Floats]:
    """Rows ``(28, 1)`` and columns ``(1, 28)`` of the pixels."""
    height, width = images.shape[1:]
    rows, columns = np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32)
    return rows[:, None], columns[None, :]


def _between(ends: Integers, columns: Floats, where: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Row of a straight line at each column, ``(N, 1, 28)``; ``ends`` are ``(N, 2)``."""
    way = (columns - where[0]) / (where[1] - where[0])
    return ends[:, :1, None] + (ends[:, 1:] - ends[:, :1])[..., None] * way


def _ink(distance: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Ink of a pen: full in the middle of a stroke, fading by a logarithm, gone at 1.5 pixels."""
    near = np.clip(np.abs(distance) / STROKE_REACH, 0, 1 - 1e-9)
    ink: npt.NDArray[np.floating] = np.clip(1 + np.log1p(-near), 0, 1)
    return ink
