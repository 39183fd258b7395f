"""A trained model with its rejection rule."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from comparison_inputs import LINEAR, write_model

from mnist_lightning.data.digits import Digits
from mnist_lightning.data.sources import load_dataset
from mnist_lightning.errors import OutputError
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.export.loading import load_network
from mnist_lightning.export.temperature import fold
from mnist_lightning.export.trained_model import load_trained
from mnist_lightning.models.cnn import CNN
from mnist_lightning.records.artefacts import find_models
from mnist_lightning.records.record import read_record

OUTPUT = Path(__file__).parents[2] / "output" / "published"
MODEL = OUTPUT / "custom_cnn_model.pt"
RECORD = read_record(OUTPUT / "custom_cnn_metrics.json")


def test_the_committed_model_rejects_what_is_not_a_digit(tiny_digits: Digits) -> None:
    model = load_trained(MODEL)

    assert (model.name, model.title) == ("custom_cnn", "Custom CNN")
    assert model.rejection is not None
    # Its record has no temperature: the file is not calibrated, and one is fitted.
    assert (model.rejection.temperature < 0.9) == (RECORD.model.temperature is None)
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
    assert model.calibrated == (RECORD.model.temperature is not None)
    assert model.answers(model.probabilities(tiny_digits.images)).all()


def _write(folder: Path, data_dir: Path) -> Path:
    write_model(folder, data_dir, "custom_cnn", 2.5)
    return folder / "custom_cnn_model.pt"


def test_a_calibrated_file_gets_no_second_temperature(
    tiny_data_dir: Path, tiny_digits: Digits, tmp_path: Path
) -> None:
    path = _write(tmp_path, tiny_data_dir)
    expected = predict_logits(load_network(path), tiny_digits.images).softmax(1)

    model = load_trained(path)

    assert model.rejection is not None
    assert (model.rejection.temperature, model.calibrated) == (1, True)
    assert np.allclose(model.probabilities(tiny_digits.images), expected, atol=1e-6)
    for end in (".pt", ".safetensors"):
        mine = Path(shutil.copy(path.with_suffix(end), tmp_path / f"mine{end}"))
        alone = load_trained(mine)
        assert (alone.rejection, alone.calibrated) == (None, True)
        assert np.allclose(alone.probabilities(tiny_digits.images), expected, atol=1e-5)


def test_a_checkpoint_next_to_a_record_gets_its_temperature(
    tiny_data_dir: Path, tiny_digits: Digits, tmp_path: Path
) -> None:
    path = _write(tmp_path, tiny_data_dir)
    expected = load_trained(path).probabilities(tiny_digits.images)
    temperature = read_record(tmp_path / "custom_cnn_metrics.json").model.temperature
    assert temperature is not None
    network = fold(load_network(path.with_suffix(".safetensors")), 1 / temperature)
    state = {f"network.{key}": value for key, value in network.state_dict().items()}
    content = {"state_dict": state, "hyper_parameters": LINEAR, "loops": {}, "global_step": 1}
    torch.save(content, path.with_suffix(".ckpt"))

    model = load_trained(path.with_suffix(".ckpt"))

    assert model.rejection is not None
    assert (model.rejection.temperature, model.calibrated) == (temperature, True)
    assert np.allclose(model.probabilities(tiny_digits.images), expected, atol=1e-5)


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
