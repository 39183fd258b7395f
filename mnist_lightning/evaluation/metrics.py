"""Accuracy with its uncertainty, and which digits are confused.

All results are frozen dataclasses of plain Python numbers, ready to be written as JSON.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Annotated

from scipy.stats import binomtest
from torch import Tensor
from torch.nn import functional as F

from mnist_lightning.data.digits import CLASSES
from mnist_lightning.files.limits import Change, Count, Digit, NotNegative, Share, Within

CONFIDENCE_LEVEL = 0.95
MOST_CONFUSED_PAIRS = 10
TEN = Within(CLASSES, CLASSES)
"""The length of a list with an entry for each digit."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval of a proportion, or of a difference of two.

    Attributes:
        low: Lower end, 0 to 1; of a difference -1 to 1.
        high: Upper end, likewise.
        level: Confidence level, 0 to 1.
        method: How it was computed; ``wilson`` means Wilson's score interval.
    """

    low: Change
    high: Change
    level: Share
    method: str


@dataclass(frozen=True)
class Metrics:
    """Metrics of any set of predictions.

    Attributes:
        n: Number of images.
        correct: Number of images whose largest logit is that of the true digit, 0 to ``n``.
        accuracy: ``correct / n``, 0 to 1.
        interval: Confidence interval of ``accuracy``.
        loss: Mean cross-entropy in nats, without label smoothing.
    """

    n: Count
    correct: Count
    accuracy: Share
    interval: Interval
    loss: NotNegative

    @property
    def errors(self) -> int:
        """Number of images that are classified wrongly."""
        return self.n - self.correct


@dataclass(frozen=True)
class ClassMetrics:
    """One digit versus all others.

    Attributes:
        digit: The digit, 0 to 9.
        precision: Share of the images predicted as the digit that show it, 0 to 1; 0 if no image
            is predicted as it.
        recall: Share of the images of the digit that are predicted as it, 0 to 1; 0 if there are
            none.
        f1: Harmonic mean of precision and recall, 0 to 1; 0 if both are.
        support: Number of images of the digit.
    """

    digit: Digit
    precision: Share
    recall: Share
    f1: Share
    support: Count


@dataclass(frozen=True)
class Confusion:
    """One digit that was mistaken for another.

    Attributes:
        true: The label, 0 to 9.
        predicted: The prediction, 0 to 9.
        count: Number of such images, at least 1.
    """

    true: Digit
    predicted: Digit
    count: Count


@dataclass(frozen=True)
class DetailedMetrics(Metrics):
    """Metrics of the predictions on the test set.

    Attributes:
        macro_f1: Unweighted mean of F1 over the digits that occur among labels or predictions, as
            torchmetrics defines it, 0 to 1.
        per_class: Ten entries, digits 0 to 9.
        confusion_matrix: ``(10, 10)`` counts, rows are true digits, columns predicted ones.
        most_confused: At most ten pairs, most frequent first, then by true and predicted digit.
    """

    macro_f1: Share
    per_class: Annotated[tuple[ClassMetrics, ...], TEN]
    confusion_matrix: Annotated[tuple[Annotated[tuple[Count, ...], TEN], ...], TEN]
    most_confused: tuple[Confusion, ...]


def measure(logits: Tensor, labels: Tensor) -> Metrics:
    """Compute accuracy with its interval, and loss.

    Args:
        logits: float32, ``(N, 10)``, finite, on the CPU.
        labels: int64, ``(N,)``, each 0 to 9, on the CPU. ``N`` is at least 1.

    Returns:
        The metrics.

    Raises:
        ValueError: There are no images, or the shapes do not match.
    """
    if len(labels) == 0 or logits.shape != (len(labels), CLASSES):
        raise ValueError(
            f"logits of shape {tuple(logits.shape)} for {len(labels)} labels; "
            f"(N, {CLASSES}) and N labels, at least one, are needed"
        )
    n, correct = len(labels), count_correct(logits, labels)
    return Metrics(
        n=n,
        correct=correct,
        accuracy=correct / n,
        interval=wilson_interval(correct, n),
        # In float64, so that the mean of many tiny losses does not depend on the batch size.
        loss=float(F.cross_entropy(logits.double(), labels)),
    )


def count_correct(logits: Tensor, labels: Tensor) -> int:
    """Return the number of rows of ``(N, 10)`` logits whose largest one is that of the label."""
    return int((logits.argmax(dim=1) == labels).sum())


def measure_in_detail(logits: Tensor, labels: Tensor) -> DetailedMetrics:
    """Compute all metrics that a record has of the test set.

    Args:
        logits: As for :func:`measure`.
        labels: As for :func:`measure`.

    Returns:
        The metrics, overall and per digit.

    Raises:
        ValueError: As for :func:`measure`.
    """
    # Here, since reading a record needs this module, and not the seconds of this import.
    from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support

    overall = measure(logits, labels)
    true, predicted = labels.numpy(), logits.argmax(dim=1).numpy()
    digits = range(CLASSES)
    per_class = precision_recall_fscore_support(true, predicted, labels=digits, zero_division=0)
    matrix = confusion_matrix(true, predicted, labels=digits).tolist()
    pairs = Counter(zip(true.tolist(), predicted.tolist(), strict=True))
    # Most frequent first, then by label and prediction.
    errors = sorted((-pairs[one], *one) for one in pairs if one[0] != one[1])
    return DetailedMetrics(
        **vars(overall),
        macro_f1=float(f1_score(true, predicted, average="macro")),
        per_class=tuple(map(ClassMetrics, digits, *(scores.tolist() for scores in per_class))),
        confusion_matrix=tuple(tuple(row) for row in matrix),
        most_confused=tuple(
            Confusion(label, answer, -count)
            for count, label, answer in errors[:MOST_CONFUSED_PAIRS]
        ),
    )


def wilson_interval(correct: int, n: int) -> Interval:
    """Compute Wilson's score interval of a proportion.

    Unlike the normal approximation it stays within 0 and 1 and keeps its coverage near both, where
    the accuracies of this project are (Brown, Cai, DasGupta: Interval Estimation for a Binomial
    Proportion, Statistical Science 16, 2001).

    Args:
        correct: Number of successes, 0 to ``n``.
        n: Number of trials, at least 1.

    Returns:
        The two-sided 95 % interval.
    """
    interval = binomtest(correct, n).proportion_ci(CONFIDENCE_LEVEL, method="wilson")
    return Interval(float(interval.low), float(interval.high), CONFIDENCE_LEVEL, "wilson")
