from pathlib import Path
from typing import Any, Optional, Union

import pytest
import torch
from lightning.pytorch.loggers.logger import DummyLogger

from mnist_lightning.cli import StudyCLI
from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.errors import UserError
from mnist_lightning.models import CNNClassifier
from mnist_lightning.terminal.presets import expand
from mnist_lightning.training import study_trainer as trainer_module
from mnist_lightning.training.study_trainer import StudyTrainer


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices that a precision was chosen for; the choice is always bf16-mixed."""
    devices: list[str] = []

    def choose(device: str) -> tuple[str, str]:
        devices.append(device)
        return "bf16-mixed", "because"

    monkeypatch.setattr(trainer_module, "choose_precision", choose)
    return devices


def _trainer(tmp_path: Path, **options: Any) -> StudyTrainer:
    return StudyTrainer(
        accelerator="cpu",
        logger=DummyLogger(),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        **options,
    )


def _arithmetic(trainer: StudyTrainer, data: MNISTDataModule) -> torch.dtype:
    """Train one step, and return the dtype of the first layer's output."""
    model = CNNClassifier(widths=[4], convs_per_stage=1)
    found: list[torch.dtype] = []
    first = model.get_submodule("network.features.0")
    first.register_forward_hook(lambda module, args, output: found.append(output.dtype))
    trainer.fit(model, data)
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    return found[0]


def test_auto_uses_the_precision_chosen_for_the_device(
    asked: list[str], tmp_path: Path, tiny_data: MNISTDataModule
) -> None:
    trainer = _trainer(tmp_path, fast_dev_run=True)

    assert asked == ["cpu"]
    assert trainer.precision == "bf16-mixed"
    assert trainer.precision_reason == "because"
    assert _arithmetic(trainer, tiny_data) == torch.bfloat16


def test_auto_falls_back_to_float32(
    tmp_path: Path, tiny_data: MNISTDataModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "choose_precision", lambda device: ("32-true", "no units"))

    trainer = _trainer(tmp_path, precision="auto", fast_dev_run=True)

    assert trainer.precision == "32-true"
    assert trainer.precision_reason == "no units"
    assert _arithmetic(trainer, tiny_data) == torch.float32


@pytest.mark.parametrize(
    ("precision", "arithmetic"), [("32-true", torch.float32), ("bf16-mixed", torch.bfloat16)]
)
def test_a_requested_precision_is_used_on_any_hardware(
    precision: Any,
    arithmetic: torch.dtype,
    asked: list[str],
    tmp_path: Path,
    tiny_data: MNISTDataModule,
) -> None:
    trainer = _trainer(tmp_path, precision=precision, fast_dev_run=True)

    assert asked == []
    assert trainer.precision == precision
    assert trainer.precision_reason == "as requested"
    assert _arithmetic(trainer, tiny_data) == arithmetic


@pytest.mark.parametrize(("value", "steps"), [("1", 1), ("1.0", 6), ("0.5", 3), ("2", 2)])
def test_one_is_one_batch_and_one_point_zero_is_all_of_them(
    value: str, steps: int, tiny_data: MNISTDataModule, tmp_path: Path
) -> None:
    # typing caches this order, which another library may have used first.
    assert Optional[Union[float, int]]  # noqa: UP007, UP045
    argv = ["--model", "cnn", "--output_dir", str(tmp_path), "--trainer.limit_train_batches", value]
    config = StudyCLI(expand(argv), command=[]).config.trainer

    limit = config.limit_train_batches
    trainer = _trainer(tmp_path, limit_train_batches=limit, max_epochs=1, log_every_n_steps=1)
    trainer.fit(CNNClassifier(widths=[4]), tiny_data)

    assert trainer.global_step == steps


def test_a_share_of_less_than_one_batch_is_a_user_error(
    tiny_data: MNISTDataModule, tmp_path: Path
) -> None:
    trainer = _trainer(tmp_path, limit_train_batches=0.01, max_epochs=1)

    with pytest.raises(UserError, match="Try at least `limit_train_batches="):
        trainer.fit(CNNClassifier(widths=[4]), tiny_data)
