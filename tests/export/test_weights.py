"""The file of weights: it gives the network that was trained, and a wrong one is noticed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from comparison_inputs import GOLDEN_RECORD
from safetensors import safe_open

from mnist_lightning.data.digits import Digits
from mnist_lightning.errors import OutputError
from mnist_lightning.export.loading import load_network
from mnist_lightning.export.weights import network_from_weights, write_weights
from mnist_lightning.files.identity import describe_file
from mnist_lightning.models import CNNClassifier, Ensemble, ResNet50Classifier
from mnist_lightning.models.classifier import DigitClassifier
from mnist_lightning.records.record import NetworkDescription, Record, read_record

GOLDEN = read_record(GOLDEN_RECORD)
CNN_SETTINGS: dict[str, Any] = {
    "widths": [4, 8],
    "first_stride": 2,
    "contrast_normalisation": True,
    "learning_rate": 0.1,
}
RESNET_SETTINGS: dict[str, Any] = {
    "weights": "none",
    "image_size": 32,
    "contrast_normalisation": True,
}


def _described(network: torch.nn.Module, settings: dict[str, Any]) -> NetworkDescription:
    kind = type(network)
    class_path = f"{kind.__module__}.{kind.__qualname__}"
    return replace(GOLDEN.model, class_path=class_path, hyperparameters=settings)


def _trained(model: DigitClassifier, images: torch.Tensor) -> torch.nn.Module:
    with torch.no_grad():
        model.network(images)  # updates the batch statistics
    return model.network.eval()


@pytest.fixture
def record(tiny_digits: Digits, tmp_path: Path) -> Record:
    """A record, with the file of weights next to it."""
    torch.manual_seed(0)
    network = _trained(CNNClassifier(**CNN_SETTINGS), tiny_digits.images)
    described = _described(network, CNN_SETTINGS)
    written = write_weights(network, tmp_path / "custom_cnn_model.safetensors", described, {})
    model = replace(GOLDEN.model, hyperparameters=CNN_SETTINGS, weights_file=written)
    return replace(GOLDEN, model=model)


@pytest.mark.parametrize("kind", ["cnn", "resnet50"])
def test_the_network_is_the_same_to_the_last_bit(
    kind: str, tiny_digits: Digits, tmp_path: Path
) -> None:
    settings = CNN_SETTINGS if kind == "cnn" else RESNET_SETTINGS
    model = CNNClassifier(**settings) if kind == "cnn" else ResNet50Classifier(**settings)
    images = tiny_digits.images[:8]
    network = _trained(model, images)
    path = tmp_path / "x_model.safetensors"
    write_weights(network, path, _described(network, settings), {})

    loaded = load_network(path)

    assert not loaded.training
    assert loaded.state_dict().keys() == network.state_dict().keys()
    with torch.inference_mode():
        assert torch.equal(loaded(images), network(images))


def test_a_file_without_the_setting_has_no_contrast_normalisation(
    tiny_digits: Digits, tmp_path: Path
) -> None:
    settings = {"widths": [4, 8], "learning_rate": 0.1}
    network = CNNClassifier(**settings, contrast_normalisation=False).network.eval()
    path = tmp_path / "x_model.safetensors"
    write_weights(network, path, _described(network, settings), {})
    faint = tiny_digits.images // 4 + 60

    with torch.inference_mode():
        assert torch.equal(load_network(path)(faint), network(faint))


def test_an_ensemble_is_one_file(tiny_digits: Digits, tmp_path: Path) -> None:
    members = [_trained(CNNClassifier(**CNN_SETTINGS), tiny_digits.images) for _ in range(2)]
    class_path = "mnist_lightning.models.cnn.CNN"
    settings = {"class_path": class_path, "hyperparameters": CNN_SETTINGS, "seeds": [3, 4]}
    network, path = Ensemble(members).eval(), tmp_path / "x_model.safetensors"
    write_weights(network, path, _described(network, settings), {})

    with torch.inference_mode():
        assert torch.equal(load_network(path)(tiny_digits.images), network(tiny_digits.images))


def test_the_file_has_plain_float32_tensors_and_describes_them(
    tiny_digits: Digits, tmp_path: Path
) -> None:
    network = CNNClassifier(**CNN_SETTINGS).network.to(torch.bfloat16)
    path = tmp_path / "x_model.safetensors"
    written = write_weights(network, path, _described(network, CNN_SETTINGS), {})

    tensors = safetensors.torch.load_file(path)
    assert written == describe_file(path)
    assert tensors.keys() == network.state_dict().keys()
    assert {str(one.dtype) for one in tensors.values()} == {"torch.float32", "torch.int64"}
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert (metadata["format"], metadata["title"]) == ("pt", "Custom CNN")
    assert metadata["class"] == "CNN"
    assert json.loads(metadata["hyperparameters"]) == CNN_SETTINGS


def test_a_wrong_missing_or_unrecorded_file_is_named_with_the_remedy(
    record: Record, tmp_path: Path
) -> None:
    path = tmp_path / "custom_cnn_model.safetensors"
    assert network_from_weights(record, path, "do this") is not None
    older = replace(record, model=replace(record.model, weights_file=None))
    with pytest.raises(OutputError, match=r"custom_cnn_model\.safetensors: custom_cnn .*; do this"):
        network_from_weights(older, path, "do this")
    path.write_bytes(path.read_bytes()[:-4] + b"four")
    with pytest.raises(OutputError, match=r"custom_cnn_model\.safetensors is not .*: do this"):
        network_from_weights(record, path, "do this")
    path.unlink()
    with pytest.raises(OutputError, match=r"no file .*custom_cnn_model\.safetensors.*: do this"):
        network_from_weights(record, path, "do this")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"class": "Transformer"}, "there is no network Transformer in this version"),
        ({"hyperparameters": '{"widths": [4, 9]}'}, "size mismatch for features.7.weight"),
        ({"hyperparameters": '{"widths": [4, 90000]}'}, "weights, more than 100,000,000"),
        ({"hyperparameters": '{"widths": [' + "9" * 5000 + "]}"}, "4300"),
        ({"hyperparameters": "[" * 100_000}, "recursion"),
        ({"hyperparameters": '{"depth": 3}'}, "widths"),
    ],
    ids=["class", "shape", "absurd", "digits", "deep", "settings"],
)
def test_metadata_that_do_not_fit_are_refused_in_one_line(
    change: dict[str, str], reason: str, record: Record, tmp_path: Path
) -> None:
    path = tmp_path / "custom_cnn_model.safetensors"
    tensors = safetensors.torch.load_file(path)
    metadata = {"class": "CNN", "hyperparameters": json.dumps(CNN_SETTINGS)}
    path.write_bytes(safetensors.torch.save(tensors, {**metadata, **change}))

    with pytest.raises(OutputError, match=r"is not a valid safetensors file") as raised:
        load_network(path)
    assert len(str(raised.value).splitlines()) == 1
    raised.match(reason)
