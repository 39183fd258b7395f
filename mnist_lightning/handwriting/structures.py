"""Removing what is printed on a page: ruled lines, squares, tables, frames and boxes."""

from itertools import combinations

import numpy as np
from scipy.ndimage import binary_dilation, find_objects, maximum_filter1d, minimum_filter1d
from skimage.measure import label

from mnist_lightning.handwriting.enclosures import (
    ALIKE,
    CONTENT,
    MOST_PARTS,
    contains,
    height_of,
    typical_height,
    without_enclosures,
)
from mnist_lightning.handwriting.ink import Mask
from mnist_lightning.handwriting.lines import STEP, Line, Trace, Tracer

#: A ruled line is this many times as long as a digit is high, or half of that from one border of
#: the page to the other.
_LONG = 3.0
#: A ruled line is this many times as long as thick, a side of a box this many.
_SLENDER, _SIDE_SLENDER = 12, 5

#: Of the lines across, and of those down in the transposed image.
_Traces = tuple[Trace, Trace]
#: The sides of a box: top, bottom, left, right.
_Box = tuple[Line, Line, Line, Line]


def without_structures(mask: Mask, faint: Mask) -> Mask:
    """Remove straight lines that are much longer than digits, and frames with digits in them.

    Args:
        mask: ``(H, W)``, the ink.
        faint: ``(H, W)``, the ink with a lower threshold, at which faint lines have no gaps.

    Returns:
        ``(H, W)``, the ink without these structures. Strokes that cross a line keep their pixels.
    """
    if min(mask.shape) < 100:
        return mask
    # Boxes that no digit touches are removed whole, before their sides are taken for lines.
    enclosures = mask & ~without_enclosures(mask, outlines=True)
    mask, faint = mask & ~enclosures, faint & ~binary_dilation(enclosures, iterations=2)
    wide, tall = mask.shape[1], mask.shape[0]
    tracers = (Tracer(faint), Tracer(faint.T))
    spanning = (_spanning(tracers[0], wide), _spanning(tracers[1], tall))
    rest = _close(mask, _pixels(spanning), spanning)
    height = _digit_height(rest)
    if height == 0:
        # No digits: squares and tables have many lines, but a single stroke may be a 1.
        numbers = [len(found.lines) for found in spanning]
        return mask & (min(numbers) < 2 or sum(numbers) < 5)
    shortest = [max(_LONG / 2 * height, min(_LONG * height, 0.9 * side)) for side in (wide, tall)]
    ruled = (tracers[0].trace(shortest[0], _SLENDER), tracers[1].trace(shortest[1], _SLENDER))
    gone = _pixels(ruled)
    whole, faint = faint, faint & ~gone
    length = max(4 * STEP, height / 2)
    sides = [Tracer(one).trace(length, _SIDE_SLENDER) for one in (faint, faint.T)]
    walls = _walls(whole, (sides[0], sides[1]), ruled, height)
    boxes = _boxes(mask & ~gone, (sides[0], sides[1]), height)
    return without_enclosures(_close(mask, gone | walls | boxes, ruled))


def _spanning(tracer: Tracer, side: int) -> Trace:
    """Return the lines from one border to the other, or all long ones if three are parallel."""
    trace = tracer.trace(0.4 * side, _SLENDER)
    return trace if len(trace.lines) >= 3 else tracer.trace(0.9 * side, _SLENDER)


def _pixels(traces: _Traces) -> Mask:
    """Return the pixels of lines, and where they cross."""
    across, down = traces
    crossings = (across.bands > 0) & (down.bands > 0).T
    return np.asarray((across.pixels > 0) | (down.pixels > 0).T | crossings)


def _close(mask: Mask, gone: Mask, ruled: _Traces) -> Mask:
    """Remove pixels, and close the gaps of the strokes that a ruled line crossed."""
    rest = mask & ~gone
    thickness = max((line.thickness for trace in ruled for line in trace.lines), default=0.0)
    size = max(9, 2 * round(thickness) + 5)
    closed = [
        minimum_filter1d(maximum_filter1d(rest, size, axis=axis), size, axis=axis)
        for axis in (0, 1)
    ]
    return np.asarray(rest | (mask & gone & (closed[0] | closed[1])))


def _walls(mask: Mask, traces: _Traces, ruled: _Traces, height: float) -> Mask:
    """Return the lines that begin and end on ruled ones and are as thin: the walls of a table."""
    chosen = []
    for axis, (trace, other) in enumerate(zip(traces, reversed(ruled), strict=True)):
        thick = float(np.median([line.thickness for line in other.lines] or [0.0]))
        ink, anchors = mask.T if axis else mask, (other.bands > 0).T
        chosen.append(
            trace.only(
                line
                for line in trace.lines
                if line.bend <= line.thickness / 2 + 1
                and line.length >= 0.5 * height
                and line.thickness <= 1.6 * thick + 1
                and _leads_to(anchors, ink, line, line.start, -1)
                and _leads_to(anchors, ink, line, line.stop - 1, 1)
            )
        )
    return _pixels((chosen[0], chosen[1]))


def _leads_to(anchors: Mask, ink: Mask, line: Line, end: int, step: int) -> bool:
    """Whether a line, continued a little beyond its end, leads to an anchor through ink."""
    for column in range(end - step * STEP, end + step * 4 * STEP, step):
        row = round(float(line.curve(column)))
        if not (0 <= column < ink.shape[1] and 0 <= row < ink.shape[0]):
            return False
        near = slice(max(row - 1, 0), row + 2)
        if anchors[near, column].any():
            return True
        if not ink[near, column].any():
            return False
    return False


def _boxes(mask: Mask, traces: _Traces, height: float) -> Mask:
    """Return the sides of boxes with something in them, and of empty ones of the same size."""
    across, down = traces
    full: list[_Box] = []
    empty: list[_Box] = []
    if max(len(across.lines), len(down.lines)) <= MOST_PARTS:
        for top, bottom in combinations(sorted(across.lines, key=lambda line: line.first), 2):
            high = bottom.first - top.first >= height / 2
            sides = _sides(top, bottom, down.lines) if high else None
            if sides is not None:
                box = (top, bottom, *sides)
                (full if _has_content(mask, traces, box) else empty).append(box)
    full += [box for box in empty if any(_are_alike(box, other) for other in full)]
    lines = {line for box in full for line in box}
    return _pixels((across.only(lines), down.only(lines)))


def _sides(top: Line, bottom: Line, steep: list[Line]) -> tuple[Line, Line] | None:
    """Return the lines that close a rectangle at the left and at the right."""
    near = 0.15 * min(top.length, bottom.first - top.first) + STEP
    if max(abs(top.start - bottom.start), abs(top.stop - bottom.stop)) > near:
        return None

    def closing(column: int, upper: int, lower: int) -> Line | None:
        fitting = [
            line
            for line in steep
            if abs(line.start - upper) <= near and abs(line.stop - lower) <= near
        ]
        closest = min(fitting, key=lambda line: abs(_middle(line) - column), default=None)
        return closest if closest and abs(_middle(closest) - column) <= near else None

    left = closing((top.start + bottom.start) // 2, top.first, bottom.first)
    right = closing((top.stop + bottom.stop) // 2, top.last, bottom.last)
    return None if left is None or right is None or left is right else (left, right)


def _middle(line: Line) -> float:
    return (line.first + line.last) / 2


def _has_content(mask: Mask, traces: _Traces, box: _Box) -> bool:
    top, bottom, left, right = box
    rows = slice(min(top.first, top.last), max(bottom.first, bottom.last) + 1)
    columns = slice(min(left.first, left.last), max(right.first, right.last) + 1)
    sides = np.isin(traces[0].bands[rows, columns], [top.number, bottom.number])
    sides |= np.isin(traces[1].bands.T[rows, columns], [left.number, right.number])
    parts = find_objects(label(mask[rows, columns] & ~sides, connectivity=2))
    return any(height_of(part) >= CONTENT * (rows.stop - rows.start) for part in parts)


def _are_alike(one: _Box, other: _Box) -> bool:
    return all(
        abs(one[side].length - other[side].length) <= ALIKE * other[side].length for side in (0, 2)
    )


def _digit_height(mask: Mask) -> float:
    """Return the typical height of components; 0 if there are none.

    Components that touch the border or contain others are left out: they are remains of lines.
    """
    smallest = max(8, 0.02 * mask.shape[0])
    boxes = [
        box
        for box in find_objects(label(mask, connectivity=2))
        if height_of(box) >= smallest
        and all(side.start > 0 and side.stop < n for side, n in zip(box, mask.shape, strict=True))
    ]
    if not boxes or len(boxes) > MOST_PARTS:
        return 0.0
    alone = [box for box in boxes if not any(contains(box, other) for other in boxes)]
    return typical_height([height_of(box) for box in alone])
