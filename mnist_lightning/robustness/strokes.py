"""Stroke corruptions: extra lines, inverted stripes and outlines."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from skimage.feature import canny

from mnist_lightning.data.digits import Pixels
from mnist_lightning.robustness.draws import Draws, Floats, to_floats, to_pixels

#: Columns and rows of one point per image, float64, ``(N,)`` each.
Points = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]

#: Scale of the fading of a stroke, in pixels; its ink ends at about two thirds of it.
STROKE_FADING = 2.3
#: Half the height of a zigzag and a quarter of its period, in pixels.
ZIGZAG = 2.0
#: The column in which a zigzag begins, the number of columns to its end, and its number of turns.
ZIGZAG_START, ZIGZAG_WIDTH, ZIGZAG_TURNS = 2, 23, 6
STRIPE = 7


def stripe(images: Pixels, draws: Draws) -> Pixels:
    """Invert the outer quarters, so that the digit is on a black stripe between white ones.

    Equal to the published code.

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

    Equal to the published code for the same rows, up to the rounding of float32. The last dash
    is one pixel long, since the line ends before the last column.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Random numbers of these images: the rows of the two ends, 0 to 26.
    """
    _, columns = _grid(images)
    last = np.float64(images.shape[2] - 1)
    left, right = draws.integers(0, images.shape[1] - 2, 2).T.astype(np.float64)
    ink = _line(images, (np.zeros_like(left), left), (np.full_like(left, last), right))
    return to_pixels(to_floats(images) + ink * (columns % 4 >= 2))


def zigzag(images: Pixels, draws: Draws) -> Pixels:
    """Draw a zigzag across the image, nearly horizontally.

    Equal to the published code for the same rows, up to the rounding of float32. As in that code,
    the strokes are drawn one after the other, each as thick along the columns as across a
    horizontal line, and the last one, to the end of the zigzag, is shorter and steeper than the
    others.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Random numbers of these images: the first row, 0 to 26, and the rise or fall to the
            last one, -5 to 4 rows.
    """
    first, rise = draws.integers(0, images.shape[1] - 2), draws.integers(-5, 4)
    angle = np.arctan(rise / ZIGZAG_WIDTH)
    length = ZIGZAG_WIDTH / np.cos(angle)
    # Coordinates along the zigzag's axis and across it.
    points = [(0 * length, 0 * length)]
    for turn in range(ZIGZAG_TURNS):
        along, across = (2 * turn + 1) * ZIGZAG, (-1) ** turn * ZIGZAG
        points.append((np.full_like(length, along), np.full_like(length, across)))
    points.append((length, across / (2 * (length - along + ZIGZAG))))
    cosine, sine = np.cos(angle), np.sin(angle)
    turned = [
        (ZIGZAG_START + cosine * x - sine * y, first + sine * x + cosine * y) for x, y in points
    ]
    values = to_floats(images)
    for start, end in pairwise(turned):
        values = np.minimum(values + _line(images, start, end), 1)
    return to_pixels(values)


def canny_edges(images: Pixels, draws: Draws) -> Pixels:
    """Replace each image by its edges: 255 on an edge, 0 elsewhere.

    Canny: A Computational Approach to Edge Detection (IEEE TPAMI 8, 1986). The detector is
    scikit-image's with its defaults, a Gaussian of one pixel and thresholds of 0.1 and 0.2, as in
    the published code; on 2,000 test images, versions 0.15 and 0.26 find the same edges.

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


def _line(images: Pixels, start: Points, end: Points) -> Floats:
    """Draw a line for each image; its ink fades with the distance along the column.

    Args:
        images: Gives the shape, ``(N, 28, 28)``.
        start: Column and row of its left end, float64, ``(N,)`` each.
        end: The same of its right end, further right by any distance.

    Returns:
        Ink from 0 to 1, ``(N, 28, 28)``; none left of the column of ``start`` and from the column
        of ``end`` on.
    """
    rows, columns = _grid(images)
    (left, top), (right, bottom) = ((x[:, None, None], y[:, None, None]) for x, y in (start, end))
    middle = top + (bottom - top) / (right - left) * (columns - left)  # (N, 1, 28)
    inside = (columns >= np.floor(left)) & (columns < np.ceil(right))
    near = np.minimum(np.abs(rows - middle) / STROKE_FADING, 1 - 1e-9)
    ink: Floats = (np.maximum(1 + np.log1p(-near), 0) * inside).astype(np.float32)
    return ink
