"""Removing what is drawn around digits: boxes, frames and circles."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, binary_erosion, binary_fill_holes, find_objects
from skimage.measure import label
from skimage.morphology import convex_hull_image

from mnist_lightning.handwriting.ink import Mask

#: More components than this are a texture.
MOST_PARTS = 600
#: Boxes whose sides differ less than this are of one kind.
ALIKE = 0.2
#: What is inside a frame or box is at least this share of its height.
CONTENT = 0.35
_MOST_HOLES = 5
#: Parts around others that cover a page this many times are a texture.
_MOST_AREA = 5

Slices = tuple[slice, slice]


def without_enclosures(mask: Mask, outlines: bool = False) -> Mask:
    """Remove the components that enclose others: boxes and circles around digits.

    Args:
        mask: The ink.
        outlines: Whether to remove only those that consist of nothing but an outline.
    """
    labels = label(mask, connectivity=2)
    boxes = dict(enumerate(find_objects(labels), start=1))
    boxes = {number: box for number, box in boxes.items() if height_of(box) >= 16}
    if len(boxes) > MOST_PARTS:
        return mask
    around = {
        number: [other for other, inner in boxes.items() if contains(box, inner)]
        for number, box in boxes.items()
    }
    around = {number: inside for number, inside in around.items() if inside}
    if sum(labels[boxes[number]].size for number in around) > _MOST_AREA * mask.size:
        return mask
    enclosing = {
        number
        for number, inside in around.items()
        if (not outlines or _is_outline(labels[boxes[number]] == number))
        and _encloses(labels, number, boxes[number], inside)
    }
    alike = {
        number
        for number, box in boxes.items()
        if any(_same_size(box, boxes[other]) for other in enclosing)
        and _is_hollow(labels[box] == number)
    }
    return np.asarray(mask & ~np.isin(labels, sorted(enclosing | alike)))


def _is_outline(part: Mask) -> bool:
    """Whether all ink of a component is at its rim."""
    # Two for an outline: inside and outside. A square sheet has hundreds.
    if label(~np.pad(part, 1), connectivity=1).max() > _MOST_HOLES:
        return False
    thickness = part.sum() / (2 * sum(part.shape))
    filled = np.pad(binary_fill_holes(part), 1)
    inner = binary_erosion(filled, iterations=round(1.5 * thickness) + 3)
    return bool((np.pad(part, 1) & inner).sum() <= 0.02 * part.sum())


def _encloses(labels: npt.NDArray[np.int64], number: int, box: Slices, inside: list[int]) -> bool:
    """Whether a component is a box or circle around another, and not a digit drawn in outline."""
    # A frame that is drawn by hand may have a small gap.
    part = np.pad(labels[box], 4)
    filled = binary_fill_holes(binary_dilation(part == number, iterations=3))
    if filled.sum() < 0.9 * convex_hull_image(filled).sum():
        return False
    height, width = labels[box].shape
    # An ellipse as narrow as that is a zero.
    if width < 0.8 * height and filled.sum() < 0.82 * (height + 6) * (width + 6):
        return False
    whole = np.bincount(part.ravel(), minlength=max(inside) + 1)
    enclosed = np.bincount(part[filled], minlength=max(inside) + 1)
    return bool((enclosed[inside] >= 0.95 * whole[inside]).any())


def _is_hollow(part: Mask) -> bool:
    filled = binary_fill_holes(part)
    return bool(part.sum() < 0.5 * filled.sum() and filled.sum() > 0.7 * part.size)


def contains(box: Slices, other: Slices) -> bool:
    """Whether a box contains another that is large enough for its content."""
    inside = all(a.start < b.start and b.stop < a.stop for a, b in zip(box, other, strict=True))
    return inside and height_of(other) >= CONTENT * height_of(box)


def _same_size(box: Slices, other: Slices) -> bool:
    pairs = ((a.stop - a.start, b.stop - b.start) for a, b in zip(box, other, strict=True))
    return all(abs(a - b) <= ALIKE * b for a, b in pairs)


def typical_height(heights: Sequence[int]) -> float:
    """Return the median of the heights, without those of much smaller parts."""
    found = np.array(heights)
    return float(np.median(found[found >= 0.4 * found.max()]))


def height_of(box: Slices) -> int:
    """Return the number of rows of a box."""
    return int(box[0].stop - box[0].start)
