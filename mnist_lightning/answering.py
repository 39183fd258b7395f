"""What several trained models say about the same digits."""

from collections.abc import Sequence

import numpy as np
from torch import from_numpy

from mnist_lightning.digit_inputs import InputDigit
from mnist_lightning.reporting.answers_text import Answer, ReadDigit
from mnist_lightning.trained import TrainedModel


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
