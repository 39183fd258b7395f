"""Statistics over the cells: means over seeds, paired differences, and labelled digits to match."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import fmean

import numpy as np
import numpy.typing as npt
from scipy.stats import permutation_test, t, ttest_1samp

from mnist_lightning.comparison.paired import holm
from mnist_lightning.evaluation.metrics import CONFIDENCE_LEVEL
from mnist_lightning.learning_curve.arms import ARMS
from mnist_lightning.learning_curve.cells import Cell
from mnist_lightning.learning_curve.curve_schema import (
    CURVE_VERSION,
    Crossover,
    Difference,
    LearningCurve,
    Match,
    Point,
)
from mnist_lightning.terminal.wording import two_digits

FEWEST_SEEDS = 6
"""Seeds from which a test by sign flips can give p < 0.05: the smallest is 2 / 2**6 = 0.031."""

Floats = npt.NDArray[np.float64]


def analyse(cells: Sequence[Cell]) -> LearningCurve:
    """Compute all statistics from the cells that there are.

    Args:
        cells: At least one; of one dataset, and each arm of one recipe.
    """
    order = [arm.name for arm in ARMS]
    grouped: dict[tuple[str, int], dict[int, Cell]] = {}
    for cell in sorted(cells, key=lambda one: (order.index(one.arm), one.size, one.seed)):
        grouped.setdefault((cell.arm, cell.size), {})[cell.seed] = cell
    points = tuple(_point(list(seeds.values())) for seeds in grouped.values())
    curves: dict[str, dict[int, float]] = {}
    for point in points:
        curves.setdefault(point.arm, {})[point.size] = point.mean
    first = order[0]
    own = curves.get(first, {})
    others = [arm for arm in curves if arm != first and own]
    return LearningCurve(
        schema_version=CURVE_VERSION,
        dataset=cells[0].dataset,
        tested=cells[0].tested,
        weights={arm: next(one.weights for one in cells if one.arm == arm) for arm in curves},
        devices=tuple(device for device, _ in Counter(c.device for c in cells).most_common()),
        baseline=first if own else None,
        points=points,
        differences=_differences(grouped, first),
        matches=tuple(
            _match(arm, size, error, own) for arm in others for size, error in curves[arm].items()
        ),
        crossovers=tuple(_crossover(arm, _shared(points, first, arm)) for arm in others),
    )


def _point(cells: Sequence[Cell]) -> Point:
    rates = np.array([cell.error_rate for cell in cells])
    low, high = _interval(rates)
    return Point(
        arm=cells[0].arm,
        size=cells[0].size,
        seeds=tuple(cell.seed for cell in cells),
        error_rates=tuple(rates.tolist()),
        mean=float(rates.mean()),
        low=None if low is None else max(0.0, low),
        high=high,
        seconds=float(np.mean([cell.seconds for cell in cells])),
        steps=float(np.mean([cell.steps for cell in cells])),
        devices=tuple(sorted({cell.device for cell in cells})),
    )


def _interval(values: Floats) -> tuple[float | None, float | None]:
    if len(values) < 2:
        return None, None
    quantile = t.ppf((1 + CONFIDENCE_LEVEL) / 2, len(values) - 1)
    half = float(quantile * values.std(ddof=1) / np.sqrt(len(values)))
    return float(values.mean()) - half, float(values.mean()) + half


def _differences(
    grouped: Mapping[tuple[str, int], Mapping[int, Cell]], first: str
) -> tuple[Difference, ...]:
    found = []
    for (arm, size), cells in grouped.items():
        own = grouped.get((first, size), {})
        seeds = sorted(set(cells) & set(own))
        if arm != first and seeds:
            gaps = np.array([cells[seed].error_rate - own[seed].error_rate for seed in seeds])
            found.append(_difference(arm, size, gaps))
    t_p = _adjusted([one.t_p for one in found])
    flips = _adjusted([one.sign_flip_p for one in found])
    return tuple(
        replace(one, t_p_holm=adjusted, sign_flip_p_holm=flip)
        for one, adjusted, flip in zip(found, t_p, flips, strict=True)
    )


def _difference(arm: str, size: int, gaps: Floats) -> Difference:
    t_p = flip = None
    if len(gaps) > 1 and np.ptp(gaps) > 0:
        t_p = float(ttest_1samp(gaps, 0).pvalue)
    if len(gaps) >= FEWEST_SEEDS:
        # One sample and "samples": the signs are flipped, in all ways where these are few enough.
        exact = {"permutation_type": "samples", "n_resamples": 2 ** len(gaps)}
        flip = float(permutation_test((gaps,), np.mean, vectorized=False, **exact).pvalue)
    low, high = _interval(gaps)
    return Difference(arm, size, len(gaps), float(gaps.mean()), low, high, t_p, None, flip, None)


def _adjusted(p_values: Sequence[float | None]) -> list[float | None]:
    adjusted = iter(holm([p for p in p_values if p is not None]))
    return [None if p is None else next(adjusted) for p in p_values]


def _match(arm: str, size: int, error: float, own: Mapping[int, float]) -> Match:
    sizes = sorted(own)
    errors = np.array([own[one] for one in sizes])
    reached = np.flatnonzero(errors <= error)
    if not len(reached):
        return Match(arm, size, None, f"over {sizes[-1]:,}")
    place = int(reached[0])
    if place == 0:
        exactly = errors[0] == error
        return Match(arm, size, float(sizes[0]) if exactly else None, f"{sizes[0]:,} or fewer")
    needed = _crossing(sizes[place - 1 : place + 1], errors[place - 1 : place + 1], (error, error))
    return Match(arm, size, needed, two_digits(needed))


def _shared(points: Sequence[Point], first: str, arm: str) -> dict[int, tuple[float, float]]:
    """Mean error rates of the first arm and another at each size, over the seeds that both have."""
    own = {point.size: point for point in points if point.arm == first}
    pairs = {p.size: own[p.size].shared_rates(p) for p in points if p.arm == arm and p.size in own}
    return {size: (fmean(a), fmean(b)) for size, (a, b) in sorted(pairs.items()) if a}


def _crossover(arm: str, means: Mapping[int, tuple[float, float]]) -> Crossover:
    wins = [size for size, (own, other) in means.items() if other < own]
    if not wins:
        return Crossover(arm, None, None)
    crossing = None
    for pair in pairwise(means):
        if pair[0] == wins[-1]:
            own, other = zip(*(means[size] for size in pair), strict=True)
            crossing = _crossing(pair, own, other)
    return Crossover(arm, wins[-1], crossing)


def _crossing(
    sizes: Sequence[int], first: Sequence[float] | Floats, second: Sequence[float]
) -> float:
    """Return where two curves cross, each straight between two points on logarithmic axes."""
    # Half an error in 10,000, because an error rate of 0 has no logarithm.
    gap = np.log(np.maximum(first, 5e-5)) - np.log(np.maximum(second, 5e-5))
    share = 0.0 if gap[0] == gap[1] else float(gap[0] / (gap[0] - gap[1]))
    return float(np.exp(np.interp(share, (0, 1), np.log(sizes))))
