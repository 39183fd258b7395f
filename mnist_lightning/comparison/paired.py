"""Paired statistics of two models on the same images.

Both models classify every image, so only the images that exactly one of them gets right tell the
two apart. Comparing two separate confidence intervals instead would throw that pairing away.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from mnist_lightning.data.digits import CLASSES
from mnist_lightning.evaluation.metrics import CONFIDENCE_LEVEL, Interval
from mnist_lightning.files.limits import Count

RESAMPLES = 10_000
BOOTSTRAP_SEED = 0


@dataclass(frozen=True)
class Agreement:
    """The 2x2 table of two models' correct and wrong predictions on the same images.

    Attributes:
        both_right: Images that both get right.
        only_first: Images that only the first gets right.
        only_second: Images that only the second gets right.
        both_wrong: Images that neither gets right.
    """

    both_right: Count
    only_first: Count
    only_second: Count
    both_wrong: Count

    @property
    def n(self) -> int:
        """Number of images."""
        return self.both_right + self.discordant + self.both_wrong

    @property
    def discordant(self) -> int:
        """Number of images that exactly one of the two gets right."""
        return self.only_first + self.only_second

    @property
    def difference(self) -> float:
        """Accuracy of the second minus that of the first, -1 to 1."""
        return (self.only_second - self.only_first) / self.n


def agreement(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> Agreement:
    """Count the images that both, only one or none of two models get right.

    Args:
        first: bool, ``(N,)``, whether the first model is correct. ``N`` is at least 1.
        second: bool, ``(N,)``, the same for the second model.

    Returns:
        The 2x2 table.
    """
    return Agreement(*confusion_matrix(first, second, labels=[True, False]).ravel().tolist())


def mcnemar_p(table: Agreement) -> float:
    """Test whether two models are equally accurate with McNemar's exact test.

    McNemar, Psychometrika 12 (1947): if both are equally accurate, an image that only one of them
    gets right favours either with probability one half.

    Args:
        table: The 2x2 table of the two models.

    Returns:
        The two-sided p value, 0 to 1; 1 if there are no discordant images.
    """
    if table.discordant == 0:
        return 1.0
    return float(binomtest(table.only_first, table.discordant, 0.5).pvalue)


def difference_interval(
    table: Agreement, resamples: int = RESAMPLES, seed: int = BOOTSTRAP_SEED
) -> Interval | None:
    """Compute a paired bootstrap percentile interval of the difference of two accuracies.

    Drawing N images with replacement and counting them into the 2x2 table is the same as drawing
    the table from a multinomial distribution with N trials and the observed shares. The latter is a
    thousand times faster.

    Args:
        table: The 2x2 table of the two models.
        resamples: Number of bootstrap samples.
        seed: Seed of the samples; the same table always gives the same interval.

    Returns:
        The interval of the second accuracy minus the first, -1 to 1, or None if there are no
        discordant images: all resamples would be equal, and an interval of width zero would claim
        a certainty that does not exist.
    """
    if table.discordant == 0:
        return None
    same = table.both_right + table.both_wrong
    shares = np.array([table.only_first, table.only_second, same]) / table.n
    samples = np.random.default_rng(seed).multinomial(table.n, shares, size=resamples)
    differences = (samples[:, 1] - samples[:, 0]) / table.n
    tail = (1 - CONFIDENCE_LEVEL) / 2
    low, high = np.quantile(differences, [tail, 1 - tail]).tolist()
    return Interval(low, high, CONFIDENCE_LEVEL, "paired bootstrap percentile")


def prediction_kappa(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> float | None:
    """Compute Cohen's kappa, the agreement of two models' predictions beyond chance.

    Args:
        first: int64, ``(N,)``, the digits that the first model predicts.
        second: int64, ``(N,)``, the same for the second model.

    Returns:
        Kappa, -1 to 1, or None if both predict the same digit for every image: agreement by chance
        is then complete, and kappa is 0 / 0.
    """
    if len(np.union1d(first, second)) == 1:
        return None
    return float(cohen_kappa_score(first, second, labels=range(CLASSES)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values for multiple tests (Holm, Scand. J. Statistics 6, 1979).

    Args:
        p_values: Each 0 to 1.

    Returns:
        Adjusted values in the same order, each 0 to 1. The probability that any true null
        hypothesis among them falls below alpha is at most alpha.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1)
    return [float(value) for value in adjusted]
