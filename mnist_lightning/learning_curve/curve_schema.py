"""The numbers of the learning curves: what ``learning_curve.json`` contains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mnist_lightning.comparison.conclusion import ALPHA
from mnist_lightning.files.json_document import read_document
from mnist_lightning.files.limits import DecodingError
from mnist_lightning.learning_curve.arms import ARMS, TITLES
from mnist_lightning.terminal.wording import listed

CURVE_VERSION = 2
CURVE_FILE = "learning_curve.json"
CURVE_FILES = (CURVE_FILE, *(f"learning_curve.{end}" for end in ("csv", "md", "png")))


@dataclass(frozen=True)
class Point:
    """One arm at one number of labelled images, over its seeds.

    Attributes:
        arm: Name of the arm.
        size: Number of labelled images.
        seeds: The seeds, ascending.
        error_rates: Error rate of each on the test images, 0 to 1.
        mean: Mean of the error rates.
        low: Lower end of the 95 % t interval of the mean over seeds, at least 0; null for one seed.
        high: Its upper end.
        seconds: Mean training time of a seed.
        steps: Mean number of optimiser steps.
        devices: Processors and GPUs of the trainings, to which the seconds belong.
    """

    arm: str
    size: int
    seeds: tuple[int, ...]
    error_rates: tuple[float, ...]
    mean: float
    low: float | None
    high: float | None
    seconds: float
    steps: float
    devices: tuple[str, ...]

    def shared_rates(self, other: Point) -> tuple[list[float], list[float]]:
        """Return the error rates of both points for the seeds that both have, by seed."""
        own = dict(zip(self.seeds, self.error_rates, strict=True))
        others = dict(zip(other.seeds, other.error_rates, strict=True))
        shared = sorted(own.keys() & others.keys())
        return [own[seed] for seed in shared], [others[seed] for seed in shared]


@dataclass(frozen=True)
class Difference:
    """An arm minus the first one on the same labelled images, over the seeds that both have.

    Attributes:
        arm: Name of the arm.
        size: Number of labelled images.
        seeds: Number of seeds that both have.
        difference: Mean difference of the error rates, -1 to 1; below 0 the arm is better.
        low: Lower end of its 95 % t interval, not adjusted for several tests; null for one seed.
        high: Its upper end.
        t_p: p value of the paired t test; null for one seed or differences that do not vary.
        t_p_holm: The same, adjusted for all sizes and arms (Holm, 1979).
        sign_flip_p: Exact p value over all flips of the signs of the differences; null below six
            seeds, where it cannot be under 0.05.
        sign_flip_p_holm: The same, adjusted like ``t_p_holm``.
    """

    arm: str
    size: int
    seeds: int
    difference: float
    low: float | None
    high: float | None
    t_p: float | None
    t_p_holm: float | None
    sign_flip_p: float | None
    sign_flip_p_holm: float | None


@dataclass(frozen=True)
class Match:
    """How many labelled images the first arm needs for the error rate of another one.

    Attributes:
        arm: Name of the other arm.
        size: Number of its labelled images.
        needed: Number of labelled images of the first arm, interpolated on logarithmic axes between
            two measured numbers; null if it is outside of them.
        text: The same for people, e.g. ``1,200``, ``100 or fewer`` or ``over 55,000``.
    """

    arm: str
    size: int
    needed: float | None
    text: str


@dataclass(frozen=True)
class Crossover:
    """Up to how many labelled images an arm has fewer errors than the first one.

    Both are averaged over the seeds that they share: a mean over fewer seeds is not comparable with
    the first arm's mean over all of its seeds.

    Attributes:
        arm: Name of the arm.
        last_win: The largest measured number at which it has fewer errors; null if there is none.
        crossing: Where the curves cross after that, interpolated on logarithmic axes; null if they
            do not within the measured numbers.
    """

    arm: str
    last_win: int | None
    crossing: float | None


@dataclass(frozen=True)
class LearningCurve:
    """The learning curves of all arms: what ``learning_curve.json`` contains.

    Attributes:
        schema_version: Version of this schema.
        dataset: Name of the dataset with the start of its fingerprint.
        tested: Number of test images.
        weights: What each arm started from, by name.
        devices: Processors and GPUs of the trainings, that of the most points first.
        baseline: The arm that the others are compared with; null if it has no cells.
        points: By arm and size.
        differences: Of each other arm at each size, paired by seed.
        matches: Of each other arm at each size.
        crossovers: Of each other arm.
    """

    schema_version: int
    dataset: str
    tested: int
    weights: dict[str, str]
    devices: tuple[str, ...]
    baseline: str | None
    points: tuple[Point, ...]
    differences: tuple[Difference, ...]
    matches: tuple[Match, ...]
    crossovers: tuple[Crossover, ...]

    def __post_init__(self) -> None:
        """Raise a ``DecodingError`` if an arm is none of :data:`ARMS`."""
        parts: tuple[Point | Difference | Match | Crossover, ...] = self.points
        parts += (*self.differences, *self.matches, *self.crossovers)
        for arm in (*self.weights, *(one.arm for one in parts)):
            if arm not in TITLES:
                raise DecodingError(f"this version has no arm {arm!r:.40}")

    @property
    def arms(self) -> list[str]:
        """The names of the arms with cells, in the order of :data:`ARMS`."""
        return list(dict.fromkeys(point.arm for point in self.points))

    @property
    def pretrained_weights(self) -> str | None:
        """What the pretrained arms started from; None without such an arm."""
        pretrained = (arm.name for arm in ARMS if arm.start == "pretrained")
        return next((self.weights[arm] for arm in pretrained if arm in self.weights), None)

    def of(self, arm: str) -> list[Point]:
        """Return the points of an arm by size."""
        return [point for point in self.points if point.arm == arm]

    def at(self, arm: str, size: int) -> Point | None:
        """Return the point of an arm at a number of labelled images, if there is one."""
        return next((point for point in self.of(arm) if point.size == size), None)

    def wins(self, arm: str) -> list[int]:
        """Return the sizes at which an arm has fewer errors than the first one, ascending.

        Both are averaged over the seeds that they share.
        """
        return [one.size for one in self.differences if one.arm == arm and one.difference < 0]

    def wins_clearly(self, arm: str) -> bool:
        """Return whether one of its wins is significant after Holm's adjustment."""
        return any(
            one.t_p_holm is not None and one.t_p_holm < ALPHA
            for one in self.differences
            if one.arm == arm and one.difference < 0
        )


def sizes_text(sizes: list[int]) -> str:
    """List numbers of labelled images, e.g. ``100, 300 and 1,000``."""
    return listed([f"{size:,}" for size in sizes])


def read_curve(path: Path) -> LearningCurve:
    """Read a ``learning_curve.json``.

    Raises:
        OutputError: It is missing, damaged, of another version, or has an arm that this version
            lacks.
    """
    remedy = "make it with `python scripts/learning_curve.py`"
    return read_document(
        LearningCurve, path, version=CURVE_VERSION, noun="learning curve", remedy=remedy
    )
