"""The temperature in the last layer: every format gives calibrated probabilities."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from comparison_inputs import GOLDEN_RECORD, METADATA
from torch import Tensor, nn

from mnist_lightning.data.digits import Digits
from mnist_lightning.evaluation.calibration import TEMPERATURE_RANGE, fit_temperature
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.export.int8 import quantize_onnx
from mnist_lightning.export.loading import build_network, load_network
from mnist_lightning.export.metadata import read_entries
from mnist_lightning.export.onnx import export_onnx
from mnist_lightning.export.program import export_program
from mnist_lightning.export.temperature import calibrated_copy, fold
from mnist_lightning.export.torchscript import export_torchscript
from mnist_lightning.export.weights import write_weights
from mnist_lightning.models import CNN, Ensemble, ResNet50
from mnist_lightning.records.record import read_record

SETTINGS = {"widths": [4, 8], "contrast_normalisation": True}
MEMBERS = {
    "class_path": "mnist_lightning.models.cnn.CNN",
    "hyperparameters": SETTINGS,
    "seeds": [0, 1],
    "files": ["a" * 64, "b" * 64],
}


def _network(kind: str, images: Tensor) -> nn.Module:
    torch.manual_seed(0)
    if kind == "Ensemble":
        return Ensemble([_cnn(images), _cnn(images)])
    return ResNet50(image_size=32) if kind == "ResNet50" else _cnn(images)


def _cnn(images: Tensor) -> CNN:
    """A CNN whose probabilities differ from each other."""
    network = CNN(**SETTINGS)
    with torch.no_grad():
        network(images)  # updates the batch statistics
        network.head.weight.mul_(20)
    return network


@pytest.mark.parametrize("kind", ["CNN", "ResNet50", "Ensemble"])
@pytest.mark.parametrize("temperature", [TEMPERATURE_RANGE[0], 0.459, 1.0, TEMPERATURE_RANGE[1]])
def test_logits_are_divided_and_the_network_stays_as_it_was(
    kind: str, temperature: float, tiny_digits: Digits
) -> None:
    images = tiny_digits.images[:8]
    network = _network(kind, images)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    copy = fold(network, temperature)

    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    found, logits = predict_logits(copy, images), predict_logits(network.eval(), images)
    torch.testing.assert_close(found * temperature, logits, atol=1e-5, rtol=1e-4)
    assert torch.equal(found.argmax(1), logits.argmax(1))


@pytest.mark.parametrize("kind", ["CNN", "Ensemble"])
def test_every_format_is_calibrated_and_states_the_temperature(
    kind: str, tiny_digits: Digits, tmp_path: Path
) -> None:
    images = tiny_digits.images
    network = _network(kind, images).eval()
    # Labels that are true as often as the probabilities of a network twice as sharp say.
    sharp = predict_logits(network, images).mul(2).softmax(1)
    drawn = torch.multinomial(sharp, 1, generator=torch.Generator().manual_seed(0))[:, 0]
    copy, temperature = calibrated_copy(network, Digits(images, drawn))
    metadata = replace(METADATA, temperature=temperature, validation_images=len(images))
    export_torchscript(copy, tmp_path / "m.pt", images, metadata)
    export_program(copy, tmp_path / "m.pt2", metadata)
    export_onnx(copy, tmp_path / "m.onnx", metadata)
    quantize_onnx(tmp_path / "m.onnx", tmp_path / "int8.onnx", images)
    settings = MEMBERS if kind == "Ensemble" else SETTINGS
    described = replace(
        read_record(GOLDEN_RECORD).model, class_path=f"models.{kind}", hyperparameters=settings
    )
    write_weights(copy, tmp_path / "m.safetensors", described, metadata.calibration())

    assert temperature == pytest.approx(0.5, abs=0.2)
    for path in tmp_path.iterdir():
        entries = read_entries(path)
        assert float(entries["temperature"]) == pytest.approx(temperature, abs=1e-6)
        assert "softmax of the logits is calibrated" in entries["calibration"]
        assert "on 50 validation images" in entries["calibration"]
        found = predict_logits(load_network(path), images).softmax(1).numpy()
        # No second temperature is needed.
        tolerance = 0.1 if path.name == "int8.onnx" else 0.01
        assert fit_temperature(found, drawn.numpy()) == pytest.approx(1, abs=tolerance)


def test_entries_of_files_without_a_description_are_empty(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(nn.Identity()), tmp_path / "other.pt")
    torch.save({"state_dict": {}}, tmp_path / "old.ckpt")
    with pytest.MonkeyPatch.context() as patch:
        # A member that is JSON, but not an object: the number of the format's version.
        patch.setattr("mnist_lightning.export.metadata.METADATA_FILE", "version")
        assert read_entries(tmp_path / "other.pt") == {}

    assert read_entries(tmp_path / "other.pt") == {}
    assert read_entries(tmp_path / "old.ckpt") == {}


def test_weights_of_an_ensemble_of_an_older_version_have_the_temperature_one(
    tiny_digits: Digits,
) -> None:
    network = _network("Ensemble", tiny_digits.images).eval()
    state = {name: value for name, value in network.state_dict().items() if name != "temperature"}

    found = build_network("Ensemble", MEMBERS, state)

    images = tiny_digits.images
    torch.testing.assert_close(predict_logits(found, images), predict_logits(network, images))
