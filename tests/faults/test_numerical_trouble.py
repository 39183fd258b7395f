"""NaN or infinity in loss or weights stops a run, names the step and keeps the checkpoint."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, LightningModule, Trainer

from mnist_lightning.commands.train import main

STEPS = 6


class Spoil(Callback):
    """Overwrites one weight after a step, counted from 1, whose loss is still finite."""

    def __init__(self, step: int, value: float) -> None:
        self.step, self.value = step, value

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *rest: Any) -> None:
        if trainer.global_step == self.step:
            with torch.no_grad():
                next(pl_module.network.parameters()).view(-1)[0] = self.value


def _argv(data_dir: Path, output_dir: Path, *more: str) -> list[str]:
    return [
        *("--model", "cnn", "--data.data_dir", str(data_dir), "--data.batch_size", "64"),
        *("--model.widths", "[4, 8]", "--trainer.max_epochs", "2"),
        *("--trainer.accelerator", "cpu", "--output_dir", str(output_dir), *more),
    ]


def _spoil(step: int, value: str) -> list[str]:
    argv = ["--trainer.callbacks+", f"{__name__}.Spoil", "--trainer.callbacks.step", str(step)]
    return [*argv, "--trainer.callbacks.value", value]


def _last(output_dir: Path) -> Path:
    return output_dir / "runs/custom_cnn/version_0/checkpoints/last.ckpt"


def _error(capsys: pytest.CaptureFixture[str]) -> str:
    """The only line besides the warning that the data are not the standard MNIST."""
    (line,) = [
        line for line in capsys.readouterr().err.splitlines() if not line.startswith("WARNING: The")
    ]
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize("decay", ["0", "0.9"])
@pytest.mark.parametrize("value", [".nan", ".inf"])
def test_bad_weights_in_the_last_step_of_an_epoch_do_not_replace_the_checkpoint(
    value: str,
    decay: str,
    tiny_data_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    argv = _argv(tiny_data_dir, tmp_path, "--ema.decay", decay, *_spoil(2 * STEPS, value))

    assert main(argv) == 2

    error = _error(capsys)
    assert "is no longer finite after step 12 (epoch 2)" in error
    checkpoint = torch.load(_last(tmp_path), weights_only=True)
    assert checkpoint["global_step"] == STEPS
    for weights in (checkpoint["state_dict"], checkpoint.get("current_model_state", {})):
        assert all(value.isfinite().all() for value in weights.values())
    assert len((_last(tmp_path).parents[1] / "metrics.csv").read_text().splitlines()) == 2


def test_bad_weights_within_an_epoch_stop_the_next_step(
    tiny_data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_argv(tiny_data_dir, tmp_path, *_spoil(8, ".nan"))) == 2

    error = _error(capsys)
    assert "the loss became nan at step 9 (epoch 2)" in error
    assert torch.load(_last(tmp_path), weights_only=True)["global_step"] == STEPS


def test_an_exploding_loss_stops_with_the_step_and_the_remedy(
    tiny_data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_argv(tiny_data_dir, tmp_path, "--model.learning_rate", "1e38")) == 2

    error = _error(capsys)
    assert "step " in error
    assert "(epoch 1)" in error
    assert "Try a lower --model.learning_rate than 1e+38" in error
    assert not _last(tmp_path).exists()
