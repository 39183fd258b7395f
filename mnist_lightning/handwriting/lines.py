"""Tracing long thin lines in a mask of ink."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from numpy.polynomial import Polynomial
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from mnist_lightning.handwriting.ink import Mask

#: Columns in a block. A line may climb one row in each block: 11 degrees.
STEP = 5
#: Blocks without ink that a line may jump.
_GAP = 2
#: Blocks over which the direction of a line is measured.
_MEMORY = 16
#: Blocks of the longest way through a stroke that crosses a line.
_STROKE = 20
#: Paths to try in one direction; more are a texture.
_MOST = 1000

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Line:
    """A line from left to right; its rows and columns are those of the mask that was traced.

    Attributes:
        number: Its label in ``Trace.pixels`` and ``Trace.bands``.
        start: First column.
        stop: Column after the last one.
        thickness: Typical number of rows.
        curve: From a column to its row.
    """

    number: int
    start: int
    stop: int
    thickness: float
    curve: Polynomial

    @property
    def length(self) -> int:
        """Number of columns."""
        return self.stop - self.start

    @cached_property
    def first(self) -> int:
        """Its row at the first column."""
        return round(float(self.curve(self.start)))

    @cached_property
    def last(self) -> int:
        """Its row at the last column."""
        return round(float(self.curve(self.stop)))

    @property
    def bend(self) -> float:
        """How far it is from the straight line between its ends, in rows."""
        columns = np.linspace(self.start, self.stop, 20)
        rows = self.curve(columns)
        return float(np.abs(rows - np.linspace(rows[0], rows[-1], 20)).max())


@dataclass(frozen=True, eq=False)
class Trace:
    """The lines of a mask.

    Attributes:
        lines: The lines, all at least as long as asked for.
        pixels: ``(H, W)``, the pixels of each line by its number, without those of other strokes
            that cross it.
        bands: ``(H, W)``, the pixels of each line with those of the strokes that cross it.
    """

    lines: list[Line]
    pixels: _Ints
    bands: _Ints

    def only(self, chosen: Iterable[Line]) -> "Trace":
        """Return some of the lines, with their pixels; those of other traces are ignored."""
        lines = [line for line in chosen if line in self.lines]
        numbers = [line.number for line in lines]
        pixels, bands = (np.where(np.isin(x, numbers), x, 0) for x in (self.pixels, self.bands))
        return Trace(lines, pixels, bands)


class Tracer:
    """Traces lines from left to right: smooth paths through ink that climb at most 11 degrees.

    Args:
        mask: ``(H, W)``, True is ink.
    """

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._runs, self._heights, self._middles = _vertical_runs(mask)
        blocks = _blocks(mask)
        # A path opening (Heijmans, Buckley and Talbot, 2005) with a limited slope.
        self._before = _lengths(blocks)
        self._reach = (self._before + _lengths(blocks[:, ::-1])[:, ::-1] - 1) * blocks

    def trace(self, shortest: float, slender: float) -> Trace:
        """Return the lines of at least ``shortest`` columns, ``slender`` times as long as thick."""
        left = np.where(STEP * self._reach >= shortest, self._before, 0)
        lines: list[Line] = []
        for _ in range(_MOST):
            row, column = map(int, np.unravel_index(left.argmax(), left.shape))
            if left[row, column] == 0:
                break
            path = _follow(left, row, column)
            columns = np.arange(column - len(path) + 1, column + 1)
            left[path, columns] = 0
            if STEP * len(path) < 0.9 * shortest:
                continue
            line = self._fit(path, columns, len(lines) + 1)
            if line.length >= max(0.9 * shortest, slender * line.thickness):
                lines.append(line)
                # The next path must be another line.
                rows = np.round(line.curve(STEP * (columns + 0.5))).astype(np.int64)
                around = int(line.thickness / 2) + 4
                for shift in range(-around, around + 1):
                    left[np.clip(rows + shift, 0, len(left) - 1), columns] = 0
        bands = self._bands(lines)
        of_run = np.zeros(len(self._heights), dtype=np.int64)
        of_run[self._runs[bands > 0]] = bands[bands > 0]
        thickness = np.array([0.0, *(line.thickness for line in lines)])[of_run]
        # Where another stroke crosses a line, the ink is higher than the line is thick.
        of_run[self._heights > thickness + np.maximum(2, 0.3 * thickness)] = 0
        return Trace(lines, of_run[self._runs], bands)

    def _fit(self, path: _Ints, columns: _Ints, number: int) -> Line:
        """Fit a cubic to the middle of the ink along a path.

        A path may begin or end in another stroke, which the line only touches.
        """
        middles = STEP * columns + STEP // 2
        rows = np.clip(path + np.array([[0], [-1], [1]]), 0, len(self._mask) - 1)
        runs = self._runs[rows, middles].max(axis=0)
        heights = self._heights[runs]
        thickness = max(float(np.median(heights)), 1.0)
        # Where another stroke crosses the line, the middle of the ink is not on the line.
        known = (runs > 0) & (heights <= 1.5 * thickness + 2)
        rows, near = np.where(known, self._middles[runs], path), known
        curve = Polynomial.fit(middles, rows, 0)
        for _ in range(4):
            if near.sum() < 4:
                break
            curve = Polynomial.fit(middles[near], rows[near], min(3, int(near.sum()) // 8))
            distance = np.abs(rows - curve(middles))
            near = known & (distance <= max(thickness / 2 + 1, float(np.median(distance[known]))))
        inside = columns[near]
        start, stop = (inside[0], inside[-1] + 1) if len(inside) else (0, 0)
        return Line(number, STEP * int(start), STEP * int(stop), thickness, curve)

    def _bands(self, lines: list[Line]) -> _Ints:
        """Label the ink along lines, and a little further: their ends are often faint."""
        height, width = self._mask.shape
        bands = np.zeros((height, width), dtype=np.int64)
        for line in lines:
            more = min(12 * STEP, line.length // 10)
            columns = np.arange(max(line.start - more, 0), min(line.stop + more, width))
            rows = np.round(line.curve(columns)).astype(np.int64)
            half = -int(-line.thickness // 2)
            for shift in range(-half, half + 1):
                places = np.clip(rows + shift, 0, height - 1)
                bands[places, columns] = line.number
        return bands * self._mask


def _follow(left: _Ints, row: int, column: int) -> _Ints:
    """Follow a long path from its right end to the left, as straight as possible.

    Returns:
        Its row in each block, from left to right.
    """
    rows = [row]
    while column > 0:
        column -= 1
        here = rows[-1]
        steps = [step for step in (here, here - 1, here + 1) if 0 <= step < len(left)]
        longest = max(left[step, column] for step in steps)
        if longest == 0:
            break
        # The longest path may change to another line where a stroke touches both, but a path that
        # is too short ends in that stroke.
        enough = min(longest - _MEMORY, _STROKE)
        back = rows[-_MEMORY:]
        expected = here + (here - back[0]) / len(back)
        rows.append(
            min(
                (step for step in steps if left[step, column] >= max(enough, 1)),
                key=lambda step: abs(step - expected),
            )
        )
    return np.array(rows[::-1], dtype=np.int64)


def _blocks(mask: Mask) -> Mask:
    """Return the rows of blocks with ink, with small gaps between them filled."""
    height, width = mask.shape[0], mask.shape[1] // STEP
    thick = maximum_filter1d(mask, 3, axis=0)[:, : width * STEP]
    blocks = thick.reshape(height, width, STEP).mean(axis=2) >= 0.75
    near = maximum_filter1d(blocks, 3, axis=0)
    wide = _GAP + 1
    bridged = minimum_filter1d(maximum_filter1d(near, wide, axis=1), wide, axis=1)
    return np.asarray(blocks | (bridged & ~near))


def _lengths(blocks: Mask) -> _Ints:
    """Return the length of the longest path that ends in each block."""
    lengths = blocks.astype(np.int64)
    for column in range(1, blocks.shape[1]):
        lengths[:, column] *= 1 + maximum_filter1d(lengths[:, column - 1], 3)
    return lengths


def _vertical_runs(mask: Mask) -> tuple[_Ints, _Ints, npt.NDArray[np.float64]]:
    """Number the vertical runs of ink from 1; return their height and their middle row as well."""
    flat = np.pad(mask, ((0, 1), (0, 0))).T.ravel()
    starts = flat & ~np.append(False, flat[:-1])
    runs = np.cumsum(starts) * flat
    heights = np.bincount(runs)
    heights[0] = 0
    tops = np.append(0, np.flatnonzero(starts) % (mask.shape[0] + 1))
    numbers = runs.reshape(mask.shape[1], -1)[:, :-1].T
    return numbers, heights, tops + (heights - 1) / 2
