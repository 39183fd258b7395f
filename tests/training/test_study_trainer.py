from pathlib import Path
from typing import Any, Optional, Union, get_args

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import device_stats_monitor
from lightning.pytorch.loggers.logger import DummyLogger

from mnist_lightning.cli import StudyCLI
from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.errors import UserError
from mnist_lightning.models import CNNClassifier
from mnist_lightning.terminal.logs import configure_logging
from mnist_lightning.terminal.presets import expand
from mnist_lightning.training import study_trainer as trainer_module
from mnist_lightning.training.no_profiler import NoProfiler
from mnist_lightning.training.study_trainer import Precision, StudyTrainer


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
        logger=DummyLogger(),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        **{"accelerator": "cpu", "log_every_n_steps": 1, **options},
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


ARITHMETIC = {
    "auto": torch.bfloat16,
    "32-true": torch.float32,
    "bf16-mixed": torch.bfloat16,
    "16-mixed": torch.float16,
}


@pytest.mark.parametrize("precision", get_args(Precision))
def test_every_offered_precision_trains_and_tests(
    precision: Any,
    asked: list[str],
    tmp_path: Path,
    tiny_data: MNISTDataModule,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A CPU computes in float16 too, only slowly.
    monkeypatch.setattr(trainer_module, "FLOAT16_DEVICES", ("cpu",))
    trainer = _trainer(tmp_path, precision=precision, fast_dev_run=True)

    assert asked == (["cpu"] if precision == "auto" else [])
    assert precision in ("auto", trainer.precision)
    assert trainer.precision_reason == ("because" if precision == "auto" else "as requested")
    assert _arithmetic(trainer, tiny_data) == ARITHMETIC[precision]
    (metrics,) = trainer.test(trainer.lightning_module, tiny_data, verbose=False)
    assert metrics["test/loss"] > 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_float16_trains_on_a_gpu(tmp_path: Path, tiny_data: MNISTDataModule) -> None:
    trainer = _trainer(tmp_path, accelerator="gpu", precision="16-mixed", fast_dev_run=True)

    assert _arithmetic(trainer, tiny_data) == torch.float16


def test_float16_is_refused_on_a_cpu(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="16-mixed needs an NVIDIA GPU; use auto"):
        _trainer(tmp_path, precision="16-mixed")


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


def test_a_checkpoint_of_a_slurm_job_is_not_resumed_unasked(
    tiny_data: MNISTDataModule, tmp_path: Path
) -> None:
    (tmp_path / "hpc_ckpt_1.ckpt").touch()
    trainer = _trainer(tmp_path, max_epochs=1)

    with pytest.raises(UserError, match=r"hpc_ckpt_1.ckpt is a checkpoint of a SLURM job"):
        trainer.fit(CNNClassifier(widths=[4]), tiny_data)


class Breaks(Callback):
    """Raises an exception in the first step."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def on_train_batch_start(self, *args: Any) -> None:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
    ],
)
def test_a_lack_of_memory_is_a_user_error(
    error: Exception, tiny_data: MNISTDataModule, tmp_path: Path
) -> None:
    trainer = _trainer(tmp_path, max_epochs=1, callbacks=[Breaks(error)])

    with pytest.raises(UserError, match=r"not enough memory .* use a smaller --data.batch_size"):
        trainer.fit(CNNClassifier(widths=[4]), tiny_data)


@pytest.mark.parametrize("error", [RuntimeError("a bug"), ValueError("a bug"), TypeError("a bug")])
def test_a_bug_keeps_its_traceback(
    error: Exception, tiny_data: MNISTDataModule, tmp_path: Path
) -> None:
    trainer = _trainer(tmp_path, max_epochs=1, callbacks=[Breaks(error)])

    with pytest.raises(type(error), match="a bug"):
        trainer.fit(CNNClassifier(widths=[4]), tiny_data)


def test_a_package_that_a_callback_misses_is_a_user_error(
    tiny_data: MNISTDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_stats_monitor, "_PSUTIL_AVAILABLE", False)
    monitor = device_stats_monitor.DeviceStatsMonitor()
    trainer = _trainer(tmp_path, max_epochs=1, callbacks=[monitor])

    with pytest.raises(UserError, match="`psutil` is not installed"):
        trainer.fit(CNNClassifier(widths=[4]), tiny_data)


def test_a_callback_that_changes_the_steps_is_blamed_and_not_a_checkpoint(
    tiny_data: MNISTDataModule, tmp_path: Path
) -> None:
    class Longer(Callback):
        def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            trainer.fit_loop.max_epochs = 7

    trainer = _trainer(tmp_path, max_epochs=1, callbacks=[Longer()])

    with pytest.raises(UserError, match=r"--trainer.callbacks: .* from 6 to 42") as caught:
        trainer.fit(CNNClassifier(widths=[4]), tiny_data)
    assert "--ckpt_path" not in str(caught.value)


def test_without_a_profiler_no_step_runs_one(tmp_path: Path, tiny_data: MNISTDataModule) -> None:
    trainer = _trainer(tmp_path, max_steps=2)
    assert isinstance(trainer.profiler, NoProfiler)
    started: list[str] = []
    trainer.profiler.start = started.append  # type: ignore[method-assign]

    trainer.fit(CNNClassifier(widths=[4], convs_per_stage=1), tiny_data)

    assert trainer.global_step == 2
    # Only those that Lightning starts and stops itself.
    assert not any("training_step" in action for action in started)
    with pytest.raises(KeyError), trainer.profiler.profile("an error goes through"):
        raise KeyError


@pytest.mark.parametrize("profiler", ["simple", "advanced"])
def test_the_summary_of_a_profiler_is_shown(
    profiler: str,
    tiny_data: MNISTDataModule,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    configure_logging()
    trainer = _trainer(tmp_path, fast_dev_run=True, profiler=profiler)

    trainer.fit(CNNClassifier(widths=[4]), tiny_data)

    assert "Profiler Report" in caplog.text
