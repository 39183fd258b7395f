"""The predictions of several trained models for the same digits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import from_numpy

from mnist_lightning.export.trained_model import TrainedModel, names_of
from mnist_lightning.handwriting.inputs import InputDigit


@dataclass(frozen=True)
class Reading:
    """The prediction of one model for one digit.

    Attributes:
        model: The model's name.
        digit: The most probable digit, 0 to 9.
        confidence: Its calibrated probability, 0 to 1.
        answered: False if the confidence is below the model's threshold for an answer.
    """

    model: str
    digit: int
    confidence: float
    answered: bool

    @property
    def caption(self) -> str:
        """The prediction in a few characters: ``7  99.9 %``, or ``?  (7 at 52.0 %)``."""
        confidence = f"{self.confidence:.1%}".replace("%", " %")
        if self.answered:
            return f"{self.digit}  {confidence}"
        return f"?  ({self.digit} at {confidence})"


@dataclass(frozen=True)
class ReadDigit:
    """One digit with the predictions of all models.

    Attributes:
        file: The file or folder that contains it.
        page: Page of a PDF or frame of an image, from 1.
        number: Its number on the page in reading order, from 1.
        box: Left, top, right and bottom in pixels of the page; None in a dataset.
        label: The true digit, if known.
        answers: The prediction of each model, in the models' order.
    """

    file: str
    page: int
    number: int
    box: tuple[int, int, int, int] | None
    label: int | None
    answers: tuple[Reading, ...]


def answer_all(models: Sequence[TrainedModel], inputs: Sequence[InputDigit]) -> list[ReadDigit]:
    """Classify every digit with every model.

    Args:
        models: One or more models.
        inputs: The digits.

    Returns:
        The predictions, in the order of ``inputs``.
    """
    if not inputs:
        return []
    images = from_numpy(np.stack([one.pixels for one in inputs])).unsqueeze(1)
    columns = []
    for name, model in zip(names_of(models), models, strict=True):
        probabilities = model.probabilities(images)
        digits, confidences = probabilities.argmax(axis=1), probabilities.max(axis=1)
        answered = model.answers(probabilities)
        rows = zip(digits.tolist(), confidences.tolist(), answered.tolist(), strict=True)
        columns.append([Reading(name, *row) for row in rows])
    return [
        ReadDigit(one.file, one.page, one.number, _corners(one), one.label, readings)
        for one, readings in zip(inputs, zip(*columns, strict=True), strict=True)
    ]


def _corners(one: InputDigit) -> tuple[int, int, int, int] | None:
    box = one.box
    return None if box is None else (box.left, box.top, box.right, box.bottom)
