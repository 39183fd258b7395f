"""The measured time of a training, with and without interruptions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning import Callback, Trainer

from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.models import CNNClassifier
from mnist_lightning.training import stopwatch
from mnist_lightning.training.stopwatch import Stopwatch


class Clock(Callback):
    """A clock that advances by 100 s before training, 10 s per step and 1 s after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(stopwatch.time, "monotonic", lambda: self.now)

    def on_fit_start(self, *args: Any) -> None:
        self.now += 100

    def on_train_batch_start(self, *args: Any) -> None:
        self.now += 10

    def on_fit_end(self, *args: Any) -> None:
        self.now += 1


def test_preparation_and_the_time_before_an_interruption_count(
    make_trainer: Callable[..., Trainer],
    tiny_data: MNISTDataModule,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, path = Clock(monkeypatch), tmp_path / "one.ckpt"
    first, second = Stopwatch(), Stopwatch()
    assert first.seconds == 0

    trainer = make_trainer(first, clock)
    trainer.fit(CNNClassifier([4]), tiny_data)
    trainer.save_checkpoint(path)
    assert first.seconds == 160
    clock.now += 1000
    assert first.seconds == 160

    longer = make_trainer(second, clock, max_epochs=1, max_steps=-1)
    longer.fit(CNNClassifier([4]), tiny_data, ckpt_path=path, weights_only=True)
    # No step was left to train, and the time afterwards does not count.
    assert second.seconds == 160
    clock.now += 1000
    assert second.seconds == 160
