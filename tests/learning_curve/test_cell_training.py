"""Cells that are really trained, for a few steps on small digits."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch

from mnist_lightning.data.sources import load_dataset
from mnist_lightning.learning_curve import cell_training, frozen_features
from mnist_lightning.learning_curve.arms import ARMS
from mnist_lightning.learning_curve.cell_training import CellTrainer
from mnist_lightning.learning_curve.cells import configuration_hash
from mnist_lightning.models import ResNet50

ARM = {arm.name: arm for arm in ARMS}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    safetensors.torch.save_file(ResNet50().backbone.state_dict(), path, {"title": "Stand-in"})
    return path


@pytest.fixture(scope="module")
def trainer(
    tiny_data_dir: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> CellTrainer:
    dataset = load_dataset(tiny_data_dir, download=False)
    return CellTrainer(dataset, str(weights), tmp_path_factory.mktemp("out"), "cpu", step_limit=12)


@pytest.fixture(autouse=True)
def _small_images(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    original = cell_training._preset

    def smaller(name: str) -> dict[str, object]:
        preset = original(name)
        if "image_size" in preset["model"]["init_args"]:
            preset["model"]["init_args"]["image_size"] = 28
        return preset

    monkeypatch.setattr(cell_training, "_preset", smaller)
    yield
    original.cache_clear()


def test_a_cell_of_the_cnn_is_the_same_each_time_and_another_with_another_seed(
    trainer: CellTrainer,
) -> None:
    first, again = (trainer.train(ARM["cnn"], 20, 0) for _ in range(2))
    assert first.wrong == again.wrong
    assert first.steps == 12
    assert first.tested == 100
    assert first.weights == "random initialisation"
    assert trainer.train(ARM["cnn"], 20, 1).wrong != first.wrong
    assert trainer.train(ARM["cnn"], 40, 0).wrong != first.wrong


def test_no_file_is_left_by_a_training(trainer: CellTrainer, tmp_path: Path) -> None:
    trainer.train(ARM["cnn"], 20, 0)
    left = [path for path in trainer.output_dir.rglob("*") if "feature_cache" not in path.parts]
    assert [path for path in left if path.is_file()] == []


def test_fine_tuning_and_training_from_scratch_differ_in_their_start_alone(
    trainer: CellTrainer,
) -> None:
    tuned, scratch = (
        trainer.settings(ARM[f"resnet50_{name}"], 20, 0) for name in ("finetune", "scratch")
    )
    assert {key for key in tuned if tuned[key] != scratch[key]} == {"arm", "start"}


def test_the_cnn_can_be_trained_with_the_distortions_of_resnet50(trainer: CellTrainer) -> None:
    own, affine, none, tuned = (
        trainer.settings(ARM[name], 20, 0)
        for name in ("cnn", "cnn_affine", "cnn_undistorted", "resnet50_finetune")
    )
    assert affine["augmentation"] == tuned["augmentation"]
    assert none["augmentation"] is None
    for other in (affine, none):
        assert {key for key in own if own[key] != other[key]} == {"arm", "augmentation"}


@pytest.mark.parametrize("name", ["resnet50_finetune", "resnet50_scratch"])
def test_a_whole_resnet_is_trained(
    trainer: CellTrainer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Fine-tuning trains all stages from the second step on.
    monkeypatch.setattr(trainer, "_step_limit", 4)
    cell = trainer.train(ARM[name], 20, 0)
    assert cell.steps == 4
    assert cell.weights == ("Stand-in" if name.endswith("tune") else "random initialisation")


def test_each_frozen_backbone_computes_its_features_once(
    trainer: CellTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = [arm for arm in ARMS if arm.least_steps is None]
    cells = [trainer.train(arm, 50, 0) for arm in frozen]
    for cell in cells:
        # These digits are told apart by any features that keep the image.
        assert cell.error_rate < 0.8
        assert cell.steps > 3

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    # The arms take turns, as in a run of the command.
    monkeypatch.setattr(frozen_features, "cached_features", refuse)
    assert [trainer.train(arm, 50, 0).wrong for arm in frozen] == [cell.wrong for cell in cells]


def test_settings_name_the_weights_by_their_content(trainer: CellTrainer, weights: Path) -> None:
    settings = trainer.settings(ARM["resnet50"], 20, 0)
    other = safetensors.torch.load_file(weights)
    other["bn1.bias"] += 1
    path = weights.with_name("other.safetensors")
    safetensors.torch.save_file(other, path)
    moved = weights.with_name("moved.safetensors")
    moved.write_bytes(weights.read_bytes())
    hashes = {
        configuration_hash(
            CellTrainer(trainer.dataset, str(file), trainer.output_dir, "cpu").settings(
                ARM["resnet50"], 20, 0
            )
        )
        for file in (path, moved)
    }
    assert configuration_hash(settings) in hashes
    assert len(hashes) == 2
