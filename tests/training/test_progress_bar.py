import io
import re
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import Callback, Trainer

from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.models import CNNClassifier
from mnist_lightning.training.progress_bar import TrainingProgress

MakeTrainer = Callable[..., Trainer]

LINE = (
    r"epoch   {epoch}/2  train loss \d\.\d{{4}} accuracy +\d+\.\d\d%"
    r"  val loss \d\.\d{{4}} accuracy +\d+\.\d\d%  0:00:\d\d left 0:00:\d\d"
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _train(make_trainer: MakeTrainer, data: MNISTDataModule, *callbacks: Callback) -> None:
    trainer = make_trainer(*callbacks, max_epochs=2, enable_progress_bar=True)
    trainer.fit(CNNClassifier(widths=[4], convs_per_stage=1), data)


def _in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Not a fixture: pytest replaces sys.stderr again between set-up and test."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_in_a_pipe_there_is_one_line_per_epoch_and_no_bar(
    make_trainer: MakeTrainer, tiny_data: MNISTDataModule, capsys: pytest.CaptureFixture[str]
) -> None:
    _train(make_trainer, tiny_data, TrainingProgress())

    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) == 2
    for epoch, line in enumerate(lines, start=1):
        assert re.fullmatch(LINE.format(epoch=epoch), line), line
    assert "step" not in err
    assert "\r" not in err


def test_in_a_terminal_a_bar_counts_all_steps_and_is_removed_at_the_end(
    make_trainer: MakeTrainer,
    tiny_data: MNISTDataModule,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal = _in_a_terminal(monkeypatch)

    _train(make_trainer, tiny_data, TrainingProgress())

    drawn = terminal.getvalue()
    assert "training:   0%|" in drawn
    assert "/12 [" in drawn
    assert len(capsys.readouterr().out.splitlines()) == 2
    # The last bar is overwritten with blanks.
    assert drawn.split("\r")[-2].strip() == ""
    assert drawn.endswith("\r")


def test_the_bar_is_removed_when_training_fails(
    make_trainer: MakeTrainer, tiny_data: MNISTDataModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = _in_a_terminal(monkeypatch)

    class Fail(Callback):
        def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
            raise RuntimeError("failed")

    with pytest.raises(RuntimeError, match="failed"):
        _train(make_trainer, tiny_data, TrainingProgress(), Fail())

    assert "/12 [" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r")


def test_a_disabled_bar_prints_nothing(
    make_trainer: MakeTrainer,
    tiny_data: MNISTDataModule,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal = _in_a_terminal(monkeypatch)
    progress = TrainingProgress()
    progress.disable()

    _train(make_trainer, tiny_data, progress)

    assert capsys.readouterr().out == ""
    assert "training:" not in terminal.getvalue()


def test_the_remaining_time_is_computed_from_the_steps_of_this_process(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer: Any = SimpleNamespace(
        global_step=600,
        current_epoch=1,
        max_epochs=4,
        estimated_stepping_batches=1200,
        callback_metrics={"train/loss": torch.tensor(0.5), "train/accuracy": torch.tensor(0.875)},
    )
    module: Any = None
    progress = TrainingProgress()
    clock = iter([1000.0, 1090.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))

    # Resumed at step 600: 300 steps take 90 seconds, so the last 300 will take as long.
    progress.on_train_start(trainer, module)
    trainer.global_step = 900
    trainer.current_epoch = 2
    progress.on_train_epoch_end(trainer, module)

    assert capsys.readouterr().out == (
        "epoch   3/4  train loss 0.5000 accuracy  87.50%  0:01:30 left 0:01:30\n"
    )


def test_without_a_terminal_a_long_epoch_and_a_long_test_are_not_silent(
    make_trainer: MakeTrainer,
    tiny_data: MNISTDataModule,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # As if every batch took half a minute.
    monkeypatch.setattr("mnist_lightning.training.progress_bar.SILENT_SECONDS", 0.0)
    trainer = make_trainer(TrainingProgress(), enable_progress_bar=True)
    model = CNNClassifier(widths=[4], convs_per_stage=1)

    trainer.fit(model, tiny_data)
    trainer.test(model, tiny_data, verbose=False)

    lines = capsys.readouterr().out.splitlines()
    steps = [line for line in lines if "step" in line]
    assert len(steps) == 6
    assert re.fullmatch(r"epoch   1/1  step 2/6  0:00:\d\d left 0:00:\d\d", steps[1])
    assert any(re.fullmatch(r"validating: batch 1/\d+", line) for line in lines)
    after = lines[lines.index("testing the final weights ...") :]
    assert re.fullmatch(r"testing: batch 1/\d+", after[1])


def test_a_short_epoch_prints_no_line_within(
    make_trainer: MakeTrainer, tiny_data: MNISTDataModule, capsys: pytest.CaptureFixture[str]
) -> None:
    _train(make_trainer, tiny_data, TrainingProgress())

    assert "step" not in capsys.readouterr().out
