"""What a file of weights says about itself, and how a model repeats it."""

import hashlib
from pathlib import Path

import pytest
import safetensors.torch
import torch

from mnist_lightning.errors import WeightsError
from mnist_lightning.models import ResNet50, ResNet50Classifier
from mnist_lightning.records.weights_origin import MAX_LENGTH, describe_weights

TITLE = "Photographs, rounded (70 % top-1)"


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole backbone with metadata."""
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    about = {"title": TITLE, "source": "a camera", "license": "Camera Non-Commercial 1.0"}
    safetensors.torch.save_file(ResNet50().backbone.state_dict(), path, about)
    return path


def test_title_source_licence_and_hash_are_read(said: Path) -> None:
    origin = describe_weights(said)
    assert (origin.title, origin.source) == (TITLE, "a camera")
    assert origin.sha256 == hashlib.sha256(said.read_bytes()).hexdigest()
    assert origin.label == f"{TITLE}, licence: Camera Non-Commercial 1.0"


@pytest.mark.parametrize("licence", ["", "MIT", "CC-BY-4.0"])
def test_a_licence_that_allows_everything_is_not_part_of_the_label(
    tmp_path: Path, licence: str
) -> None:
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file({"a": torch.ones(1)}, path, {"title": "T", "license": licence})
    assert describe_weights(path).label == "T"
    assert describe_weights(path).license == (licence or None)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_a_file_that_says_nothing_is_named_by_its_file_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    safetensors.torch.save_file({"a": torch.ones(1)}, path)
    origin = describe_weights(path)
    assert (origin.title, origin.label) == (f"the file {name}",) * 2
    assert origin.source is origin.license is None
    assert len(origin.sha256) == 64


def test_text_of_a_stranger_is_one_short_printable_line(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    about = {"title": "two\nlines \x1b[31m\u202e", "source": "x" * 100_000}
    safetensors.torch.save_file({"a": torch.ones(1)}, path, about)
    origin = describe_weights(path)
    assert origin.title == "two lines \\x1b[31m\\u202e"
    assert origin.source is not None
    assert len(origin.source) == MAX_LENGTH


def test_a_damaged_file_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"not one")
    with pytest.raises(WeightsError, match=r"w\.safetensors is truncated, damaged"):
        describe_weights(tmp_path / "w.safetensors")


def test_a_model_takes_its_names_from_the_file_and_a_checkpoint_keeps_them(said: Path) -> None:
    model = ResNet50Classifier(weights=str(said), strategy="frozen")
    assert model.title == "ResNet50 (frozen, the file w.safetensors)"
    model.load_pretrained()
    assert model.title == f"ResNet50 (frozen, {TITLE})"
    assert model.weights == f"{TITLE}, licence: Camera Non-Commercial 1.0"
    checkpoint: dict[str, object] = {}
    model.on_save_checkpoint(checkpoint)
    resumed = ResNet50Classifier(weights=str(said), strategy="frozen")
    resumed.on_load_checkpoint(checkpoint)
    assert resumed.title == model.title
    assert resumed.weights_origin == model.weights_origin


def test_random_weights_have_no_origin_and_presets_weights_no_mention_in_the_title() -> None:
    random = ResNet50Classifier(weights="none", strategy="scratch")
    assert random.weights_origin is None
    assert random.title == "ResNet50 (from scratch, random initialisation)"
    assert ResNet50Classifier(weights="imagenet").title == "ResNet50 (frozen)"
