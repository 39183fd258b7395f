"""A trained model with its rejection rule."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_lightning.data.digits import Digits
from mnist_lightning.data.sources import load_dataset
from mnist_lightning.errors import OutputError
from mnist_lightning.export.trained_model import load_trained
from mnist_lightning.models.cnn import CNN
from mnist_lightning.records.artefacts import find_models

OUTPUT = Path(__file__).parents[2] / "output" / "published"
MODEL = OUTPUT / "custom_cnn_model.pt"


def test_the_committed_model_rejects_what_is_not_a_digit(tiny_digits: Digits) -> None:
    model = load_trained(MODEL)

    assert (model.name, model.title) == ("custom_cnn", "Custom CNN")
    assert model.rejection is not None
    assert model.rejection.errors <= 0.001 * model.rejection.answered
    probabilities = model.probabilities(tiny_digits.images)
    assert np.allclose(probabilities.sum(axis=1), 1)
    sure = model.answers(probabilities)
    assert np.array_equal(sure, probabilities.max(axis=1) >= model.rejection.threshold)
    # Mosaics are not digits, so it rejects them more often than real ones.
    digits = load_dataset(Path(), "mnist5k", download=False).test.images[:500]
    assert sure.mean() < 0.9 < 0.98 < model.answers(model.probabilities(digits)).mean()


def test_a_stricter_rate_answers_less() -> None:
    rules = [load_trained(MODEL, rate).rejection for rate in (0.0, 0.001, 0.01)]

    coverages = [rule.coverage for rule in rules if rule]
    assert len(coverages) == 3
    assert coverages[0] < coverages[1] < coverages[2]


def test_a_model_without_its_record_answers_everything(tiny_digits: Digits, tmp_path: Path) -> None:
    shutil.copy(MODEL, tmp_path / "mine.pt")

    model = load_trained(tmp_path / "mine.pt")

    assert (model.name, model.rejection) == ("mine", None)
    assert model.answers(model.probabilities(tiny_digits.images)).all()


def test_the_custom_cnn_is_found_first(tmp_path: Path) -> None:
    found = ("b_model.pt", "custom_cnn_model.pt", "custom_cnn_ensemble_model.pt", "a_model.pt")
    for name in (*found, "other.pt"):
        (tmp_path / name).touch()

    names = [path.name for path in find_models(tmp_path)]
    assert names == [found[1], found[2], found[3], found[0]]


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"gone_model\.pt"):
        load_trained(tmp_path / "gone_model.pt")


def test_a_checkpoint_of_the_cnn_gives_its_network(tiny_digits: Digits, tmp_path: Path) -> None:
    shape = {"widths": [4, 8], "convs_per_stage": 1, "dropout": 0.1}
    network = CNN(**shape, contrast_normalisation=False).eval()
    state = {f"network.{key}": value for key, value in network.state_dict().items()}
    content = {"state_dict": state, "hyper_parameters": shape, "loops": {}, "global_step": 1}
    torch.save(content, tmp_path / "last.ckpt")

    model = load_trained(tmp_path / "last.ckpt")

    with torch.inference_mode():
        expected = network(tiny_digits.images).softmax(dim=1)
    assert np.allclose(model.probabilities(tiny_digits.images), expected, atol=1e-5)


def test_a_checkpoint_of_another_program_is_named(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "odd.ckpt")

    with pytest.raises(OutputError, match=r"odd\.ckpt"):
        load_trained(tmp_path / "odd.ckpt")
