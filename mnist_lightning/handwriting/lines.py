"""Tracing long thin lines in a mask of ink."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.polynomial import polynomial
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from mnist_lightning.handwriting.ink import Mask

#: Columns in a block. A line may climb one row in each block: 11 degrees.
STEP = 5
#: Blocks without ink that a line may jump.
_GAP = 2
#: A page has fewer lines in one direction; more are a texture.
_MOST = 250

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Line:
    """A line from left to right; its rows and columns are those of the mask that was traced.

    Attributes:
        number: Its label in ``Trace.pixels`` and ``Trace.bands``.
        start: First column.
        stop: Column after the last one.
        first: Its row at the first column.
        last: Its row at the last column.
        thickness: Typical number of rows.
        bend: How far it is from the straight line between its ends, in rows.
    """

    number: int
    start: int
    stop: int
    first: int
    last: int
    thickness: float
    bend: float

    @property
    def length(self) -> int:
        """Number of columns."""
        return self.stop - self.start


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
        bands = np.zeros(self._mask.shape, dtype=np.int64)
        for _ in range(_MOST):
            row, column = np.unravel_index(left.argmax(), left.shape)
            if left[row, column] == 0:
                break
            path = _follow(left, int(row), int(column))
            columns = np.arange(int(column) - len(path) + 1, int(column) + 1)
            left[path, columns] = 0
            self._add(lines, bands, left, path, columns, shortest, slender)
        of_run = np.zeros(len(self._heights), dtype=np.int64)
        of_run[self._runs[bands > 0]] = bands[bands > 0]
        thickness = np.array([0.0, *(line.thickness for line in lines)])
        # Where another stroke crosses a line, the ink is higher than the line is thick.
        of_run[self._heights > thickness[of_run] + np.maximum(2, 0.3 * thickness[of_run])] = 0
        return Trace(lines, of_run[self._runs], bands)

    def _add(
        self,
        lines: list[Line],
        bands: _Ints,
        left: _Ints,
        path: _Ints,
        columns: _Ints,
        shortest: float,
        slender: float,
    ) -> None:
        """Add the line that a path follows, and take it out of what is left."""
        middles = columns * STEP + STEP // 2
        nearby = self._runs[np.clip(path + np.array([[0], [-1], [1]]), 0, len(left) - 1), middles]
        runs = nearby.max(axis=0)
        thickness = max(float(np.median(self._heights[runs])), 1.0)
        # Where another stroke crosses the line, the middle of the ink is not on the line.
        alone = (runs > 0) & (self._heights[runs] <= 1.5 * thickness + 2)
        rows, near = _smooth(self._middles[runs], alone, thickness)
        half = -int(-thickness // 2)
        for shift in range(-half - 3, half + 4):
            left[np.clip(rows + shift, 0, len(left) - 1), columns] = 0
        inside = np.flatnonzero(near)
        if len(inside) == 0:
            return
        first, last = inside[0], inside[-1]
        length = STEP * (last - first + 1)
        if length < 0.9 * shortest or length < slender * thickness:
            return
        start, stop = int(columns[first]) * STEP, (int(columns[last]) + 1) * STEP
        along = np.arange(start, stop)
        fine = np.round(np.interp(along, middles, rows)).astype(np.int64)
        for shift in range(-half, half + 1):
            places = np.clip(fine + shift, 0, len(bands) - 1)
            bands[places, along] = np.where(
                self._mask[places, along], len(lines) + 1, bands[places, along]
            )
        chord = np.linspace(fine[0], fine[-1], len(fine))
        bend = float(np.abs(fine - chord).max())
        lines.append(
            Line(len(lines) + 1, start, stop, int(fine[0]), int(fine[-1]), thickness, bend)
        )


def _follow(left: _Ints, row: int, column: int) -> _Ints:
    """Follow the straightest of the longest paths from its right end; return its rows."""
    rows = [row]
    while column > 0 and left[rows[-1], column] > 1:
        column -= 1
        here = rows[-1]
        steps = [step for step in (here, here - 1, here + 1) if 0 <= step < len(left)]
        best = max(steps, key=lambda step: left[step, column])
        if left[best, column] == 0:
            break
        rows.append(best)
    return np.array(rows[::-1], dtype=np.int64)


def _smooth(path: npt.NDArray[np.float64], known: Mask, thickness: float) -> tuple[_Ints, Mask]:
    """Fit a cubic to the known rows of a path; return its rows, and where the path is near.

    A path may begin or end in another stroke, which the line only touches.
    """
    places = np.linspace(-1, 1, len(path))
    near, fitted = known, path
    for _ in range(4):
        if near.sum() < 4:
            break
        factors = polynomial.polyfit(places[near], path[near], min(3, int(near.sum()) // 8))
        fitted = np.asarray(polynomial.polyval(places, factors), dtype=np.float64)
        distance = np.abs(path - fitted)
        limit = max(thickness / 2 + 1, float(np.median(distance[known])))
        near = known & (distance <= limit)
    return np.round(fitted).astype(np.int64), near


def _blocks(mask: Mask) -> Mask:
    """Return the rows of blocks with ink, with small gaps between them filled."""
    height, width = mask.shape[0], mask.shape[1] // STEP
    thick = maximum_filter1d(mask, 3, axis=0)[:, : width * STEP]
    blocks = thick.reshape(height, width, STEP).mean(axis=2) >= 0.75
    near = maximum_filter1d(blocks, 3, axis=0)
    wide = 2 * _GAP + 1
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
