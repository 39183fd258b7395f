"""Error rates on all images, and on those that a model answers by its rejection rule."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import numpy.typing as npt

from mnist_lightning.evaluation.metrics import Interval, wilson_interval
from mnist_lightning.files.limits import Count, Share

Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ErrorRate:
    """The error rate of a model on a set of images.

    Attributes:
        n: Number of images, at least 1.
        errors: Number of misclassified images.
        rate: ``errors / n``, 0 to 1.
        interval: Wilson's 95 % interval of ``rate``.
    """

    n: Count
    errors: Count
    rate: Share
    interval: Interval


@dataclass(frozen=True)
class SelectiveErrorRate(ErrorRate):
    """The error rate on all images, and on those that the model answers by its rejection rule.

    Attributes:
        coverage: Share of the images that are answered, 0 to 1; null without a rule.
        answered: Error rate on the answered images; null without a rule, or if there are none.
    """

    coverage: Share | None
    answered: ErrorRate | None

    @property
    def answered_rate(self) -> float | None:
        """Share of errors among the answered images; None if it is not known."""
        return self.answered.rate if self.answered else None

    @property
    def answered_interval(self) -> Interval | None:
        """Its interval; None if it is not known."""
        return self.answered.interval if self.answered else None


def error_rate(errors: int, n: int) -> ErrorRate:
    """Build the error rate of ``errors`` among ``n`` images."""
    return ErrorRate(n, errors, errors / n, wilson_interval(errors, n))


def selective(wrong: Booleans, answered: Booleans | None) -> SelectiveErrorRate:
    """Count errors on all images, and on those that are answered.

    Args:
        wrong: bool, ``(N,)``, whether each image is misclassified; N is at least 1.
        answered: bool, ``(N,)``, whether each is answered; None without a rejection rule.
    """
    n, errors = len(wrong), int(wrong.sum())
    rate, interval = errors / n, wilson_interval(errors, n)
    if answered is None:
        return SelectiveErrorRate(n, errors, rate, interval, None, None)
    count = int(answered.sum())
    remaining = error_rate(int(wrong[answered].sum()), count) if count else None
    return SelectiveErrorRate(n, errors, rate, interval, count / n, remaining)


def mean_error(rates: Iterable[ErrorRate]) -> float:
    """Return the mean error rate, each corruption weighted equally."""
    return fmean(rate.rate for rate in rates)


def mean_coverage(rates: Collection[SelectiveErrorRate]) -> float | None:
    """Return the mean share of answered images; None without a rule."""
    shares = [rate.coverage for rate in rates if rate.coverage is not None]
    return fmean(shares) if len(shares) == len(rates) else None


def answered_error(rates: Iterable[SelectiveErrorRate]) -> float | None:
    """Return the share of errors among all answered images; None if there are none."""
    answered = [rate.answered for rate in rates if rate.answered is not None]
    return (
        sum(one.errors for one in answered) / sum(one.n for one in answered) if answered else None
    )
