"""The known label errors of the MNIST test set, and a model's accuracy without these images.

The list is in ``mnist_test_label_errors.json`` next to this file, with its source and rule.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from mnist_lightning.evaluation.metrics import Interval, wilson_interval
from mnist_lightning.files.json_document import decode


@dataclass(frozen=True)
class Votes:
    """The votes of five people on an image.

    Attributes:
        given: Votes for the label in the test set.
        guessed: Votes for the label that a model had predicted.
        neither: Votes for neither or both.
    """

    given: int
    guessed: int
    neither: int


@dataclass(frozen=True)
class LabelError:
    """An image whose label most people reject.

    Attributes:
        index: Its position among the 10,000 test images.
        given: Its label in the test set, 0 to 9.
        guessed: The alternative label that people could choose, 0 to 9.
        votes: Their votes.
    """

    index: int
    given: int
    guessed: int
    votes: Votes


@dataclass(frozen=True)
class LabelErrors:
    """The published list.

    Attributes:
        source: The publication.
        rule: The criterion for an image to be listed.
        errors: The images, by position.
    """

    source: str
    rule: str
    errors: tuple[LabelError, ...]


@dataclass(frozen=True)
class LabelErrorAnswer:
    """A model's prediction for an image with a wrong label, if it differs from that label.

    Attributes:
        index: The image's position among the test images.
        given: The wrong label, 0 to 9.
        predicted: The prediction, 0 to 9.
        agrees_with_people: Whether the prediction is the alternative label, and more people chose
            it than the wrong one.
    """

    index: int
    given: int
    predicted: int
    agrees_with_people: bool


@dataclass(frozen=True)
class WithoutLabelErrors:
    """The result without the images whose labels are known to be wrong.

    Attributes:
        n: Number of remaining images.
        correct: Number of correct predictions among them.
        accuracy: ``correct / n``, 0 to 1.
        interval: Confidence interval of ``accuracy``.
        counted_wrong: The excluded images that had counted as errors of the model.
    """

    n: int
    correct: int
    accuracy: float
    interval: Interval
    counted_wrong: tuple[LabelErrorAnswer, ...]


@cache
def known_label_errors() -> LabelErrors:
    """Return the fifteen known label errors of the standard MNIST test set."""
    text = files(__package__).joinpath("mnist_test_label_errors.json").read_text(encoding="utf-8")
    found: LabelErrors = decode(LabelErrors, json.loads(text))
    return found


def without_label_errors(
    predicted: npt.NDArray[np.int64], labels: npt.NDArray[np.int64], known: Sequence[LabelError]
) -> WithoutLabelErrors:
    """Measure accuracy without the images whose labels are known to be wrong.

    Args:
        predicted: int64, ``(N,)``, predictions for the standard test images in their order.
        labels: int64, ``(N,)``, their labels in the test set.
        known: The images to exclude.

    Returns:
        The accuracy, and the excluded images that had counted as errors.

    Raises:
        ValueError: An image does not have the label given in the list, so these are not the
            standard test images in their order.
    """
    for error in known:
        if error.index >= len(labels) or labels[error.index] != error.given:
            raise ValueError(f"test image {error.index} is not labelled {error.given}")
    kept = np.ones(len(labels), dtype=bool)
    kept[[error.index for error in known]] = False
    correct, n = int((predicted == labels)[kept].sum()), int(kept.sum())
    return WithoutLabelErrors(
        n=n,
        correct=correct,
        accuracy=correct / n,
        interval=wilson_interval(correct, n),
        counted_wrong=tuple(
            LabelErrorAnswer(
                index=error.index,
                given=error.given,
                predicted=int(predicted[error.index]),
                agrees_with_people=int(predicted[error.index]) == error.guessed
                and error.votes.guessed > error.votes.given,
            )
            for error in known
            if predicted[error.index] != error.given
        ),
    )
