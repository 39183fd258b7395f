"""Calibration of a model's confidence, before and after temperature scaling."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_softmax

from mnist_lightning.data.digits import CLASSES
from mnist_lightning.files.limits import Count, Share

BINS = 15
# Wide enough for every reasonable network.
TEMPERATURE_RANGE = (0.05, 20.0)
COVERAGES = tuple(percent / 100 for percent in (50, 60, 70, 80, 85, *range(90, 101)))
# The smallest normal float32: below it, a float32 softmax is 0, which has no logarithm.
SMALLEST = float(np.finfo(np.float32).tiny)

Probabilities = npt.NDArray[np.floating]
Float64 = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ReliabilityBin:
    """The images whose confidence falls into one of 15 bins of equal width.

    Attributes:
        low: Lower edge of the bin, 0 to 1, exclusive.
        high: Upper edge, inclusive.
        count: Number of images, at least 1.
        confidence: Their mean confidence (largest probability), 0 to 1.
        accuracy: Share of them that is classified correctly, 0 to 1.
    """

    low: Share
    high: Share
    count: Count
    confidence: Share
    accuracy: Share


@dataclass(frozen=True)
class CalibrationMetrics:
    """How well probabilities match observed frequencies; lower is better for all three scores.

    Attributes:
        ece: Expected calibration error with 15 bins of equal width, 0 to 1 (Guo et al.: On
            Calibration of Modern Neural Networks, ICML 2017).
        brier: Brier score: squared distance to the one-hot label, summed over digits, mean over
            images, 0 to 2.
        nll: Mean negative log-likelihood of the label in nats. Probabilities below 1.2e-38, the
            smallest normal float32, count as that.
        bins: The reliability diagram, without empty bins.
    """

    ece: float
    brier: float
    nll: float
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True)
class CoveragePoint:
    """Accuracy when the model rejects the images with the lowest confidence.

    Attributes:
        coverage: Share of the images that it answers, 0 to 1.
        n: Number of answered images.
        errors: Number of errors among them.
        accuracy: Share of correct answers among them, 0 to 1.
        threshold: Smallest confidence among them, 0 to 1.
    """

    coverage: Share
    n: Count
    errors: Count
    accuracy: Share
    threshold: Share


@dataclass(frozen=True)
class Calibration:
    """Calibration on the test images.

    Attributes:
        raw: Calibration of the network as it was trained; of an ensemble, that of the mean of its
            members.
        temperature: Divisor of the logits, fitted on the validation images alone, 0.05 to 20;
            above 1 if the network was overconfident.
        scaled: Calibration after division by the temperature, which changes no prediction.
        coverage: Accuracy at falling shares of rejected images, by the confidence of the exported
            file.
    """

    raw: CalibrationMetrics
    temperature: float
    scaled: CalibrationMetrics
    coverage: tuple[CoveragePoint, ...]


def calibrate(
    test: Probabilities,
    labels: Labels,
    validation: Probabilities,
    validation_labels: Labels,
    folded: float | None,
) -> Calibration:
    """Measure calibration on test images, with a temperature of validation images.

    Args:
        test: Floats, ``(N, 10)``, rows sum to 1, of the exported file. ``N`` is at least 1.
        labels: int64, ``(N,)``, each 0 to 9.
        validation: Floats, ``(M, 10)``, rows sum to 1, of the exported file.
        validation_labels: int64, ``(M,)``, each 0 to 9.
        folded: The temperature by which the file's logits are divided already; None if they are
            not, so that one is fitted.

    Returns:
        The calibration before and after temperature scaling.
    """
    temperature = fit_temperature(validation, validation_labels) if folded is None else folded
    before = test if folded is None else scale(test, 1 / folded)
    after = scale(test, temperature) if folded is None else test
    return Calibration(
        raw=measure_calibration(before, labels),
        temperature=temperature,
        scaled=measure_calibration(after, labels),
        coverage=coverage_curve(test, labels),
    )


def measure_calibration(probabilities: Probabilities, labels: Labels) -> CalibrationMetrics:
    """Compute the calibration of probabilities.

    Args:
        probabilities: Floats, ``(N, 10)``, rows sum to 1. ``N`` is at least 1.
        labels: int64, ``(N,)``, each 0 to 9.

    Returns:
        The metrics.
    """
    bins = reliability_bins(probabilities, labels)
    distances = probabilities.astype(np.float64) - np.eye(CLASSES)[labels]
    return CalibrationMetrics(
        ece=sum(one.count * abs(one.accuracy - one.confidence) for one in bins) / len(labels),
        brier=float((distances**2).sum(axis=1).mean()),
        nll=_nll(_log(probabilities), labels),
        bins=bins,
    )


def reliability_bins(probabilities: Probabilities, labels: Labels) -> tuple[ReliabilityBin, ...]:
    """Group images by their confidence.

    Args:
        probabilities: Floats, ``(N, 10)``, rows sum to 1.
        labels: int64, ``(N,)``, each 0 to 9.

    Returns:
        The bins with images, in ascending order of confidence.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    # In the dtype of the confidence, so that rounding does not move the edge of a bin.
    edges = np.linspace(0, 1, BINS + 1).astype(confidence.dtype)
    places = np.clip(np.digitize(confidence, edges, right=True) - 1, 0, BINS - 1)
    return tuple(
        ReliabilityBin(
            low=place / BINS,
            high=(place + 1) / BINS,
            count=int((places == place).sum()),
            confidence=float(confidence[places == place].mean(dtype=np.float64)),
            accuracy=float(right[places == place].mean()),
        )
        for place in np.unique(places).tolist()
    )


def fit_temperature(probabilities: Probabilities, labels: Labels) -> float:
    """Find the temperature with the lowest negative log-likelihood of the labels.

    If all images are classified correctly, lower temperatures always fit better, up to certainty.
    That n images are right does not show that all others are, so the mean confidence becomes no
    higher than Laplace's rule of succession allows: (n + 1) / (n + 2).

    Args:
        probabilities: Floats, ``(N, 10)``, rows sum to 1, of images that were not trained on.
        labels: int64, ``(N,)``, each 0 to 9.

    Returns:
        The temperature, 0.05 to 20.
    """
    # Log-probabilities are the logits up to a constant per row, which softmax ignores.
    logits = _log(probabilities)
    low, high = np.log(TEMPERATURE_RANGE)
    most = (len(labels) + 1) / (len(labels) + 2)

    def excess(log_t: float) -> float:
        confidence = np.exp(log_softmax(logits / np.exp(log_t), axis=1)).max(axis=1)
        return float(confidence.mean()) - most

    if excess(high) >= 0:
        return TEMPERATURE_RANGE[1]
    low = brentq(excess, low, high) if excess(low) > 0 else low
    found = minimize_scalar(
        lambda log_t: _nll(log_softmax(logits / np.exp(log_t), axis=1), labels),
        bounds=(low, high),
        method="bounded",
    )
    return float(np.exp(found.x))


def scale(probabilities: Probabilities, temperature: float) -> Float64:
    """Divide the logits behind probabilities by a temperature.

    Args:
        probabilities: Floats, ``(N, 10)``, rows sum to 1.
        temperature: Above 0.

    Returns:
        float64, ``(N, 10)``, rows sum to 1.
    """
    scaled: Float64 = np.exp(log_softmax(_log(probabilities) / temperature, axis=1))
    return scaled


def coverage_curve(probabilities: Probabilities, labels: Labels) -> tuple[CoveragePoint, ...]:
    """Compute the accuracy on the images that remain when the least confident are rejected.

    Args:
        probabilities: Floats, ``(N, 10)``, rows sum to 1. ``N`` is at least 1.
        labels: int64, ``(N,)``, each 0 to 9.

    Returns:
        A point for each of ``COVERAGES``, in ascending order; at least one image is answered.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    errors = np.cumsum((probabilities.argmax(axis=1) != labels)[order])
    counts = [max(1, round(share * len(labels))) for share in COVERAGES]
    return tuple(
        CoveragePoint(
            coverage=share,
            n=n,
            errors=int(errors[n - 1]),
            accuracy=1 - int(errors[n - 1]) / n,
            threshold=float(confidence[order[n - 1]]),
        )
        for share, n in zip(COVERAGES, counts, strict=True)
    )


def _log(probabilities: Probabilities) -> Float64:
    logs: Float64 = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))
    return logs


def _nll(log_probabilities: Float64, labels: Labels) -> float:
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())
