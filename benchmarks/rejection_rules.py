"""Scores from ten logits: the higher, the surer is a network of its answer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax, logsumexp
from sklearn.ensemble import HistGradientBoostingClassifier

from mnist_lightning.data.digits import CLASSES
from mnist_lightning.evaluation.calibration import fit_temperature

Array = npt.NDArray[Any]
Rule = Callable[[Array], Array]
#: Fits a rule to logits ``(N, 10)`` and labels ``(N,)`` of images that were not trained on.
Score = Callable[[Array, Array], Rule]


def _plain(rule: Rule) -> Score:
    """Return a score without parameters, of logits divided by the calibrating temperature."""

    def fit(logits: Array, labels: Array) -> Rule:
        temperature = fit_temperature(np.exp(log_softmax(logits, axis=1)), labels)
        return lambda others: rule(others / temperature)

    return fit


def _margin(logits: Array) -> Array:
    best = np.sort(logits, axis=1)
    return np.asarray(best[:, -1] - best[:, -2])


def _negative_entropy(logits: Array) -> Array:
    logs = log_softmax(logits, axis=1)
    return np.asarray((np.exp(logs) * logs).sum(axis=1))


def kl_matching(logits: Array, labels: Array) -> Rule:
    """Kullback-Leibler divergence from the mean probabilities of the nearest digit.

    From Hendrycks et al.: Scaling Out-of-Distribution Detection for Real-World Settings, ICML 2022.
    """
    logs = log_softmax(logits, axis=1)
    predicted = logits.argmax(axis=1)
    means = np.log([np.exp(logs[predicted == digit]).mean(axis=0) for digit in range(CLASSES)])

    def rule(others: Array) -> Array:
        mine = log_softmax(others, axis=1)[:, None]  # (N, 1, 10)
        return -np.asarray((np.exp(mine) * (mine - means)).sum(axis=2).min(axis=1))

    return rule


def mahalanobis(logits: Array, labels: Array, own: float = 0.0) -> Rule:
    """Squared Mahalanobis distance of the logits from the mean of the nearest digit.

    From Lee et al.: A Simple Unified Framework for Detecting Out-of-Distribution Samples, NeurIPS
    2018, which takes the features of several layers.

    Args:
        logits: ``(N, 10)``.
        labels: ``(N,)``.
        own: Share of each digit's own covariance; the rest is that of all digits.
    """
    right = logits.argmax(axis=1) == labels
    parts = [logits[right & (labels == digit)] for digit in range(CLASSES)]
    means = [part.mean(axis=0) for part in parts]
    shared = np.cov(np.concatenate([p - m for p, m in zip(parts, means, strict=True)]).T)
    inverses = [np.linalg.inv(own * np.cov(part.T) + (1 - own) * shared) for part in parts]

    def rule(others: Array) -> Array:
        distances = [
            np.einsum("ni,ij,nj->n", others - mean, inverse, others - mean)
            for mean, inverse in zip(means, inverses, strict=True)
        ]
        return -np.min(distances, axis=0)

    return rule


def smaller_rank(*scores: Score) -> Score:
    """Combine scores: the smallest of their ranks among the images that they are fitted to."""

    def fit(logits: Array, labels: Array) -> Rule:
        rules = [score(logits, labels) for score in scores]
        known = [np.sort(rule(logits)) for rule in rules]

        def rule(others: Array) -> Array:
            # Interpolated: between two images that are known, the order is kept.
            ranks = np.arange(len(logits))
            pairs = zip(rules, known, strict=True)
            return np.min([np.interp(one(others), each, ranks) for one, each in pairs], axis=0)

        return rule

    return fit


def boosted(outliers: Array) -> Score:
    """Fit gradient boosted trees that tell digits from outliers by their logits.

    Args:
        outliers: Logits ``(M, 10)`` of images without a digit.
    """

    def fit(logits: Array, labels: Array) -> Rule:
        truth = np.repeat([1, 0], [len(logits), len(outliers)])
        trees = HistGradientBoostingClassifier(max_iter=150, max_leaf_nodes=15, random_state=0)
        trees.fit(_with_order(np.concatenate([logits, outliers])), truth)
        return lambda others: np.asarray(trees.decision_function(_with_order(others)))

    return fit


def _with_order(logits: Array) -> Array:
    return np.concatenate([logits, np.sort(logits, axis=1)], axis=1)


_largest_probability = _plain(lambda logits: np.max(log_softmax(logits, axis=1), axis=1))
_above_mean = _plain(lambda logits: logits.max(axis=1) - logits.mean(axis=1))


def _own_covariances(logits: Array, labels: Array) -> Rule:
    return mahalanobis(logits, labels, own=0.9)


SCORES: dict[str, Score] = {
    "largest probability": _largest_probability,
    "margin of the logits": _plain(_margin),
    "negative entropy": _plain(_negative_entropy),
    "largest logit": _plain(lambda logits: logits.max(axis=1)),
    "logsumexp (energy)": _plain(lambda logits: np.asarray(logsumexp(logits, axis=1))),
    "norm of the logits": _plain(lambda logits: np.linalg.norm(logits, axis=1)),
    "largest minus mean logit": _above_mean,
    "KL matching": kl_matching,
    "Mahalanobis, one covariance": mahalanobis,
    "Mahalanobis, one a digit": _own_covariances,
    "smaller rank: probability, Mahalanobis a digit": smaller_rank(
        _largest_probability, _own_covariances
    ),
    "smaller rank: minus mean, Mahalanobis a digit": smaller_rank(_above_mean, _own_covariances),
}
