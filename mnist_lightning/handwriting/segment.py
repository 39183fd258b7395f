"""Finds the digits on a page and sorts them in reading order."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, find_objects
from skimage.filters import threshold_otsu
from skimage.measure import label

from mnist_lightning.data.digits import Pixels
from mnist_lightning.errors import DataError
from mnist_lightning.handwriting.enclosures import typical_height
from mnist_lightning.handwriting.ink import Ink, Invert, find_ink
from mnist_lightning.handwriting.prepare import prepare_digit
from mnist_lightning.handwriting.sheet import find_sheet
from mnist_lightning.handwriting.structures import without_structures

#: Pages with more components are textures, and joining their parts would take minutes.
MAX_PARTS = 600


@dataclass(frozen=True)
class Box:
    """A bounding box.

    Attributes:
        top: First row.
        bottom: Row after the last one.
        left: First column.
        right: Column after the last one.
        parts: Labels of the connected components in it.
    """

    top: int
    bottom: int
    left: int
    right: int
    parts: tuple[int, ...]

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left


@dataclass(frozen=True, eq=False)
class FoundDigit:
    """One digit on a page.

    Attributes:
        pixels: uint8, ``(28, 28)``, prepared like MNIST.
        box: Its position on the page.
    """

    pixels: Pixels
    box: Box


def find_digits(grey: npt.NDArray[np.floating], invert: Invert = "auto") -> list[FoundDigit]:
    """Find the digits on a page with connected components.

    Parts of one digit are joined; ruled lines and specks are removed.

    Args:
        grey: ``(H, W)``, 0 is black and 1 is white.
        invert: See ``find_ink``.

    Returns:
        The digits, row by row and from left to right; empty for a blank page.

    Raises:
        DataError: There are more than 600 components, too many for a page of digits.
    """
    ink = find_ink(grey, invert, None if invert == "yes" else find_sheet(grey))
    if ink is None:
        return []
    threshold = 0.7 * min(threshold_otsu(ink), 0.8)
    mask = without_structures(ink > threshold, ink > 0.6 * threshold)
    labels = label(mask, connectivity=2)
    smallest = max(4, int(2e-5 * mask.size))
    areas = np.bincount(labels.ravel())
    boxes = [
        Box(rows.start, rows.stop, columns.start, columns.stop, (number,))
        for number, (rows, columns) in enumerate(find_objects(labels), start=1)
        if areas[number] >= smallest
    ]
    if len(boxes) > MAX_PARTS:
        # On dotted paper, the dots are much smaller than the digits.
        tallest = max(box.height for box in boxes)
        boxes = [box for box in boxes if box.height >= 0.25 * tallest]
    if len(boxes) > MAX_PARTS:
        raise DataError(
            f"it has {len(boxes)} separate marks, too many for a page of digits; crop the image"
        )
    if not boxes:
        return []
    boxes = _digit_sized(_join(boxes))
    return [FoundDigit(_cut(ink, labels, box), box) for box in in_reading_order(boxes)]


def _join(boxes: list[Box]) -> list[Box]:
    """Join parts of one digit: a small box close above, below or within a larger one."""
    reference = typical_height([box.height for box in boxes])
    joined = sorted(boxes, key=lambda box: -box.height)
    position = 0
    while position < len(joined):
        big = joined[position]
        for small in joined[position + 1 :]:
            if _belong_together(big, small, reference):
                joined.remove(small)
                joined[position] = _union(big, small)
                break
        else:
            position += 1
    return joined


def _belong_together(big: Box, small: Box, reference: float) -> bool:
    union = _union(big, small)
    overlap = min(big.right, small.right) - max(big.left, small.left)
    gap = max(big.top, small.top) - min(big.bottom, small.bottom)
    near = gap < 0.2 * reference and overlap >= 0.3 * min(big.width, small.width)
    side = -overlap < 0.06 * reference and gap < 0 and small.height < 0.35 * reference
    return (
        (near or side)
        and small.height < 0.75 * reference
        and union.height < 1.5 * reference
        and union.width < 1.6 * reference
    )


def _union(one: Box, other: Box) -> Box:
    return Box(
        min(one.top, other.top),
        max(one.bottom, other.bottom),
        min(one.left, other.left),
        max(one.right, other.right),
        one.parts + other.parts,
    )


def _digit_sized(boxes: list[Box]) -> list[Box]:
    reference = typical_height([box.height for box in boxes])
    return [box for box in boxes if box.height >= 0.4 * reference and box.width < 4 * box.height]


def in_reading_order(boxes: list[Box]) -> list[Box]:
    """Sort boxes into rows from top to bottom, each from left to right."""
    rows: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: box.top + box.bottom):
        middle = (box.top + box.bottom) / 2
        # A box belongs to a row if the last box of the row spans its middle.
        if rows and rows[-1][-1].top <= middle <= rows[-1][-1].bottom:
            rows[-1].append(box)
        else:
            rows.append([box])
    return [box for row in rows for box in sorted(row, key=lambda box: box.left)]


def _cut(ink: Ink, labels: npt.NDArray[np.int64], box: Box) -> Pixels:
    margin = 3
    rows = slice(max(box.top - margin, 0), box.bottom + margin)
    columns = slice(max(box.left - margin, 0), box.right + margin)
    # Removes neighbours that reach into the box.
    mine = binary_dilation(np.isin(labels[rows, columns], box.parts), iterations=2)
    return prepare_digit(np.where(mine, ink[rows, columns], 0.0))
