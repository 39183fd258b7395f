"""Measuring models with and without a rejection rule."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from comparison_inputs import GOLDEN_RECORD
from torch import nn

from mnist_lightning.data.digits import DigitDataset, Digits, Pixels
from mnist_lightning.evaluation.metrics import wilson_interval
from mnist_lightning.evaluation.rejection import Rejection
from mnist_lightning.export.trained_model import TrainedModel
from mnist_lightning.records.record import read_record
from mnist_lightning.robustness.catalogue import CORRUPTIONS, corrupt
from mnist_lightning.robustness.measure import measure_robustness
from mnist_lightning.robustness.selective_errors import answered_error, mean_coverage, selective

STRIPE, FOG = (one for one in CORRUPTIONS if one.name in ("fog", "stripe"))


class BrightestRow(nn.Module):
    """Answers with the number of the brightest of the first ten rows, surer if it is brighter."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, 0, :10].float().mean(dim=2) / 20


@pytest.fixture
def images() -> Pixels:
    """Images of which row ``i % 10`` is bright, more so in later ones."""
    found = np.zeros((40, 28, 28), np.uint8)
    for place, image in enumerate(found):
        image[place % 10] = 50 + 5 * place
    return found


def test_models_are_measured_with_and_without_a_rejection_rule(images: Pixels) -> None:
    labels = np.arange(40) % 10
    # Wrong labels among the dark and among the bright images.
    labels[[3, 35, 36]] = 9
    network = BrightestRow().eval()
    logits = network(torch.from_numpy(images).unsqueeze(1))
    confidence = (logits / 2).softmax(dim=1).max(dim=1).values.numpy()
    rule = Rejection(2.0, float(confidence[19:21].mean()), 0.001, 0.5, 0, 20)

    record = read_record(GOLDEN_RECORD)
    records = [replace(record, model=replace(record.model, name=n)) for n in ("with", "without")]
    models = {
        "with": TrainedModel("with", "With", Path(), network, rule, True),
        "without": TrainedModel("without", "Without", Path(), network, None, False),
    }
    test = Digits(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels))
    dataset = DigitDataset("bright rows", test, test, "0" * 64, False)

    measured = measure_robustness(
        records, models, dataset, np.arange(40), (STRIPE, FOG), seed=5, command=[]
    )

    ruled, unruled = measured.models
    assert (ruled.clean.n, ruled.clean.errors) == (40, 3)
    assert ruled.clean.coverage == 0.5
    assert ruled.clean.answered is not None
    assert (ruled.clean.answered.n, ruled.clean.answered.errors) == (20, 2)
    assert ruled.clean.answered.interval == wilson_interval(2, 20)
    clean = unruled.clean
    assert (clean.errors, clean.coverage, clean.answered) == (3, None, None)
    assert list(ruled.corruptions) == ["stripe", "fog"]
    foggy = network(torch.from_numpy(corrupt(images, "fog", seed=5)).unsqueeze(1)).argmax(dim=1)
    assert ruled.corruptions["fog"].errors == int((foggy.numpy() != labels).sum())


def test_shares_over_all_corruptions_count_every_answered_image_once() -> None:
    wrong = np.array([True, False, False, False])
    one = selective(wrong, np.array([True, True, False, False]))
    other = selective(wrong, np.array([False, True, True, True]))
    none = selective(wrong, np.zeros(4, bool))

    assert none.coverage == 0
    assert none.answered is None
    assert mean_coverage([one, other, none]) == pytest.approx(5 / 12)
    assert answered_error([one, other, none]) == pytest.approx(1 / 5)
    assert answered_error([none]) is None
    assert mean_coverage([selective(wrong, None)]) is None
