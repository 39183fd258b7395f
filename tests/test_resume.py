"""A resumed run ends with exactly the same weights, metrics and logs as an uninterrupted one.

All sources of differences are switched on: dropout, elastic distortions, averaged weights and a
learning rate that changes in every step.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from mnist_lightning.commands.train import main

ROOT = Path(__file__).resolve().parents[1]
EPOCHS, STEPS = 3, 6
Run = Callable[..., int]


class Send(Callback):
    """Sends a signal to this process in a hook of a step, counted from 1.

    Args:
        step: The step.
        signum: The signal.
        moment: Name of the Lightning hook.
    """

    def __init__(self, step: int, signum: int, moment: str = "on_before_optimizer_step") -> None:
        self.step, self.signum, self.moment = step, signum, moment
        setattr(self, moment, self._send)

    def _send(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        # Before the optimiser's step, global_step does not count it yet.
        if trainer.global_step + (self.moment == "on_before_optimizer_step") == self.step:
            os.kill(os.getpid(), self.signum)


def _arguments(data_dir: Path, output_dir: Path) -> list[str]:
    return [
        *("--model", "cnn"),
        *("--data.data_dir", str(data_dir)),
        *("--data.batch_size", "64"),
        *("--data.augmentation.elastic", "0.6"),
        *("--model.widths", "[4, 8]"),
        *("--model.dropout", "0.3"),
        *("--ema.decay", "0.9"),
        *("--trainer.max_epochs", str(EPOCHS)),
        *("--export_formats", "[]"),
        *("--trainer.accelerator", "cpu"),
        *("--output_dir", str(output_dir)),
    ]


def _interruption(step: int, signum: int, moment: str = "on_before_optimizer_step") -> list[str]:
    return [
        *("--trainer.callbacks+", f"{__name__}.Send"),
        *("--trainer.callbacks.step", str(step)),
        *("--trainer.callbacks.signum", str(int(signum))),
        *("--trainer.callbacks.moment", moment),
    ]


def _trained(output_dir: Path) -> dict[str, Any]:
    """Everything that a finished run has trained and logged, except times and paths."""
    folder = output_dir / "runs" / "custom_cnn" / "version_0"
    found: dict[str, Any] = {"metrics.csv": (folder / "metrics.csv").read_text()}
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    for part in ("state_dict", "current_model_state", "optimizer_states", "lr_schedulers"):
        found[part] = checkpoint[part]
    found["step"] = checkpoint["global_step"], checkpoint["epoch"]
    return found


def _scalars(output_dir: Path) -> dict[str, list[tuple[int, float]]]:
    """Step and value of every scalar in TensorBoard."""
    accumulator = EventAccumulator(str(output_dir / "runs" / "custom_cnn" / "version_0"))
    accumulator.Reload()
    names = [
        name for name in accumulator.Tags()["scalars"] if name.startswith(("train", "val", "lr"))
    ]
    # Files of the same second are read in the order of their process IDs.
    return {
        name: sorted((scalar.step, scalar.value) for scalar in accumulator.Scalars(name))
        for name in names
    }


def _identical(first: Any, second: Any) -> bool:
    if isinstance(first, torch.Tensor):
        return first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(
            _identical(first[key], second[key]) for key in first
        )
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(_identical, first, second))
    return bool(first == second)


def _differences(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    return [name for name in first | second if not _identical(first.get(name), second.get(name))]


@pytest.fixture(autouse=True, scope="module")
def _training_only() -> Any:
    """Skip the results, whose figures take longer than the training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mnist_lightning.experiment.write_results", lambda *args: "")
        yield


@pytest.fixture(scope="module")
def whole(tiny_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of an uninterrupted run."""
    output_dir = tmp_path_factory.mktemp("whole")
    assert main(_arguments(tiny_data_dir, output_dir)) == 0
    return output_dir


@pytest.fixture
def run(tiny_data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    # TensorBoard reads the files of a run in alphabetical order. Their names contain the second and
    # a counter of this process: within a second, 10 would be read before 9.
    counter = event_file_writer.AtomicCounter(1000)
    monkeypatch.setattr(event_file_writer, "_global_uid", counter)

    def train(*more: str) -> int:
        return main([*_arguments(tiny_data_dir, tmp_path), *more])

    return train


def _check_like_whole(output_dir: Path, whole: Path) -> None:
    assert _differences(_trained(output_dir), _trained(whole)) == []
    scalars = _scalars(output_dir)
    assert scalars == _scalars(whole)
    assert scalars.keys() == {
        "train/lr",
        "train/loss",
        "train/accuracy",
        "val/loss",
        "val/accuracy",
    }
    for values in scalars.values():
        assert [step for step, _ in values] == [STEPS * epoch for epoch in range(1, EPOCHS + 1)]
    assert [path.name for path in (output_dir / "runs" / "custom_cnn").iterdir()] == ["version_0"]


def test_the_same_command_twice_gives_the_same_weights(
    run: Run, tmp_path: Path, whole: Path
) -> None:
    assert run() == 0

    _check_like_whole(tmp_path, whole)


def test_the_comparison_detects_a_different_seed(run: Run, tmp_path: Path, whole: Path) -> None:
    assert run("--seed_everything", "1") == 0

    different = _differences(_trained(tmp_path), _trained(whole))
    assert {"metrics.csv", "state_dict", "current_model_state"} <= set(different)
    assert _scalars(tmp_path) != _scalars(whole)


@pytest.mark.parametrize(
    ("step", "signum"),
    [
        pytest.param(3, signal.SIGTERM, id="in the first epoch"),
        pytest.param(6, signal.SIGINT, id="at the end of an epoch"),
        pytest.param(7, signal.SIGTERM, id="in the first step of an epoch"),
        pytest.param(11, signal.SIGINT, id="before the last step of an epoch"),
        pytest.param(18, signal.SIGTERM, id="in the last step of all"),
    ],
)
def test_a_run_stopped_by_a_signal_continues_exactly(
    step: int,
    signum: signal.Signals,
    run: Run,
    tmp_path: Path,
    whole: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(*_interruption(step, signum)) == 128 + signum
    checkpoint = tmp_path / "runs/custom_cnn/version_0/checkpoints/last.ckpt"
    assert torch.load(checkpoint, weights_only=True)["global_step"] == step
    assert "--ckpt_path last" in capsys.readouterr().err

    assert run("--ckpt_path", "last") == 0

    _check_like_whole(tmp_path, whole)


def test_a_run_stopped_in_every_epoch_continues_exactly(
    run: Run, tmp_path: Path, whole: Path
) -> None:
    assert run(*_interruption(4, signal.SIGTERM)) == 143
    assert run("--ckpt_path", "last", *_interruption(9, signal.SIGINT)) == 130
    assert run("--ckpt_path", "last", *_interruption(10, signal.SIGTERM)) == 143
    assert run("--ckpt_path", "last", *_interruption(15, signal.SIGTERM)) == 143
    assert run("--ckpt_path", "last") == 0

    _check_like_whole(tmp_path, whole)


def test_a_signal_during_validation_stops_the_run_at_the_end_of_the_epoch(
    run: Run, tmp_path: Path, whole: Path
) -> None:
    assert run(*_interruption(12, signal.SIGTERM, "on_validation_batch_start")) == 143
    assert run("--ckpt_path", "last") == 0

    _check_like_whole(tmp_path, whole)


def test_a_run_stopped_at_once_by_a_second_ctrl_c_continues_exactly(
    run: Run, tmp_path: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twice = _interruption(9, signal.SIGINT) + _interruption(9, signal.SIGINT)

    assert run(*twice) == 130
    assert capsys.readouterr().err.endswith("interrupted\n")
    assert run("--ckpt_path", "last") == 0

    _check_like_whole(tmp_path, whole)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_the_test_ends_it_and_a_resumed_run_repeats_it(
    signum: signal.Signals, run: Run, tmp_path: Path, whole: Path
) -> None:
    status: object
    try:
        status = run(*_interruption(STEPS * EPOCHS, signum, "on_test_batch_start"))
    except SystemExit as stop:
        status = stop.code

    assert status == 128 + signum
    assert run("--ckpt_path", "last") == 0
    _check_like_whole(tmp_path, whole)


def test_a_killed_run_continues_exactly(
    tiny_data_dir: Path, run: Run, tmp_path: Path, whole: Path
) -> None:
    # A random step after the first checkpoint.
    step = random.SystemRandom().randint(STEPS + 1, STEPS * EPOCHS)
    print(f"killed at step {step}")
    command = [sys.executable, str(ROOT / "scripts" / "train.py")]
    command += [*_arguments(tiny_data_dir, tmp_path), *_interruption(step, signal.SIGKILL)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}

    killed = subprocess.run(
        command,
        env={**environment, "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert run("--ckpt_path", "last") == 0
    _check_like_whole(tmp_path, whole)


@pytest.mark.parametrize("how", [Path.rename, shutil.copytree], ids=["moved", "copied"])
def test_a_run_continues_exactly_in_another_folder(
    how: Callable[[Path, Path], object],
    tiny_data_dir: Path,
    run: Run,
    tmp_path: Path,
    whole: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    assert run(*_interruption(9, signal.SIGTERM)) == 143
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "output"
    how(tmp_path, elsewhere)

    assert main([*_arguments(tiny_data_dir, elsewhere), "--ckpt_path", "last"]) == 0

    _check_like_whole(elsewhere, whole)


def test_a_run_continues_exactly_in_a_new_folder_from_a_named_checkpoint(
    tiny_data_dir: Path,
    run: Run,
    tmp_path: Path,
    whole: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    assert run(*_interruption(9, signal.SIGTERM)) == 143
    before = _trained(tmp_path)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    path = tmp_path / "runs/custom_cnn/version_0/checkpoints/last.ckpt"

    assert main([*_arguments(tiny_data_dir, elsewhere), "--ckpt_path", str(path)]) == 0

    assert _differences(_trained(elsewhere), _trained(whole)) == []
    assert _differences(_trained(tmp_path), before) == []


def test_resuming_a_finished_run_changes_nothing(run: Run, tmp_path: Path, whole: Path) -> None:
    assert run() == 0
    assert run("--ckpt_path", "last") == 0

    _check_like_whole(tmp_path, whole)


def test_a_truncated_newest_checkpoint_costs_one_epoch_and_nothing_else(
    run: Run, tmp_path: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*_interruption(16, signal.SIGTERM)) == 143
    last = tmp_path / "runs/custom_cnn/version_0/checkpoints/last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    capsys.readouterr()

    assert run("--ckpt_path", "last") == 0

    assert f"{last} is damaged" in capsys.readouterr().err
    _check_like_whole(tmp_path, whole)


def test_a_checkpoint_of_another_model_is_refused_before_anything_is_written(
    run: Run, tmp_path: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = whole / "runs/custom_cnn/version_0/checkpoints/last.ckpt"

    assert run("--model.widths", "[4, 16]", "--ckpt_path", str(path)) == 2

    error = capsys.readouterr().err
    assert "is of another model" in error
    assert "'network." in error
    assert list(tmp_path.rglob("*")) == []


def test_resuming_without_a_checkpoint_is_an_error(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--ckpt_path", "last") == 2

    assert "there is no valid checkpoint" in capsys.readouterr().err
    assert list(tmp_path.rglob("*")) == []
