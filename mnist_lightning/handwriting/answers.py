"""What several trained models say about the same digits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import from_numpy

from mnist_lightning.export.trained_model import TrainedModel
from mnist_lightning.handwriting.inputs import InputDigit


@dataclass(frozen=True)
class Answer:
    """What one model says about one digit.

    Attributes:
        model: The model's name.
        digit: The most probable digit, 0 to 9.
        confidence: Its calibrated probability, 0 to 1.
        answered: False where the model had better say "I don't know".
    """

    model: str
    digit: int
    confidence: float
    answered: bool


@dataclass(frozen=True)
class ReadDigit:
    """One digit and what every model says about it.

    Attributes:
        file: Where it is.
        page: Page of a PDF, from 1.
        number: Its place on the page in reading order, from 1.
        box: Its left, top, right and bottom in pixels of the page; None in a dataset.
        label: What it is, if that is known.
        answers: One of each model, in the models' order.
    """

    file: str
    page: int
    number: int
    box: tuple[int, int, int, int] | None
    label: int | None
    answers: tuple[Answer, ...]


def answer_all(models: Sequence[TrainedModel], inputs: Sequence[InputDigit]) -> list[ReadDigit]:
    """Ask every model about every digit.

    Args:
        models: At least one.
        inputs: What to read, in the order in which it comes back.
    """
    if not inputs:
        return []
    images = from_numpy(np.stack([one.pixels for one in inputs])).unsqueeze(1)
    columns = []
    for name, model in zip(names_of(models), models, strict=True):
        probabilities = model.probabilities(images)
        best, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
        sure = model.answers(probabilities)
        rows = zip(best, confidence, sure, strict=True)
        columns.append([Answer(name, int(b), float(c), bool(s)) for b, c, s in rows])
    answers = zip(*columns, strict=True)
    return [
        ReadDigit(one.file, one.page, one.number, _corners(one), one.label, said)
        for one, said in zip(inputs, answers, strict=True)
    ]


def names_of(models: Sequence[TrainedModel]) -> list[str]:
    """Return the models' names, or their paths where two have the same name."""
    names = [model.name for model in models]
    return names if len(set(names)) == len(names) else [str(model.path) for model in models]


def _corners(one: InputDigit) -> tuple[int, int, int, int] | None:
    box = one.box
    return None if box is None else (box.left, box.top, box.right, box.bottom)
