import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.models import CNNClassifier
from mnist_lightning.training.checkpoints import read_checkpoint
from mnist_lightning.training.interruption import GracefulStop, Interrupted
from mnist_lightning.training.run_logger import RunLogger
from mnist_lightning.training.step_limit import StepLimit

MakeTrainer = Callable[..., Trainer]
BOTH = pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])


class Send(Callback):
    """Sends signals to this process during a step, counted from 1."""

    def __init__(self, step: int, *signums: int) -> None:
        self.step, self.signums = step, signums

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Any
    ) -> None:
        if trainer.global_step + 1 == self.step:
            for signum in self.signums:
                os.kill(os.getpid(), signum)


@pytest.fixture
def fit(
    make_trainer: MakeTrainer, tiny_data: MNISTDataModule, tmp_path: Path
) -> Callable[..., Path]:
    """Train two epochs of six steps each with GracefulStop; return the newest checkpoint's path."""

    def run(callback: Callback, **options: Any) -> Path:
        logger = RunLogger(tmp_path, "cnn")
        path = Path(logger.log_dir, "checkpoints", "last.ckpt")
        saver = ModelCheckpoint(
            path.parent, filename="last", save_on_train_epoch_end=True, enable_version_counter=False
        )
        trainer = make_trainer(
            callback,
            StepLimit(),
            saver,
            GracefulStop(),
            logger=logger,
            max_epochs=2,
            **options,
        )
        trainer.fit(CNNClassifier(widths=[4], convs_per_stage=1), tiny_data)
        return path

    return run


@BOTH
def test_a_signal_in_the_middle_of_an_epoch_saves_the_step_and_stops(
    signum: signal.Signals, fit: Callable[[Callback], Path]
) -> None:
    with pytest.raises(Interrupted) as caught:
        fit(Send(8, signum))

    assert caught.value.signum == signum
    assert str(caught.value) == signum.name
    checkpoint = read_checkpoint(caught.value.checkpoint)
    assert checkpoint["global_step"] == 8
    assert checkpoint["epoch"] == 1


@BOTH
@pytest.mark.parametrize(("step", "max_steps"), [(6, -1), (12, -1), (8, 8)])
def test_a_signal_in_the_last_step_of_an_epoch_stops_after_its_validation_and_checkpoint(
    step: int, max_steps: int, signum: signal.Signals, fit: Callable[..., Path]
) -> None:
    validated: list[int] = []

    class Watched(Send):
        def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            validated.append(trainer.global_step)

    with pytest.raises(Interrupted) as caught:
        fit(Watched(step, signum), max_steps=max_steps)

    assert validated[-1] == step
    assert read_checkpoint(caught.value.checkpoint)["global_step"] == step


def test_the_message_names_the_key_to_press_again(
    fit: Callable[[Callback], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Interrupted):
        fit(Send(3, signal.SIGINT))

    assert "press Ctrl-C again to stop at once" in capfd.readouterr().err


def test_two_sigterms_stop_as_gracefully_as_one(
    fit: Callable[[Callback], Path],
) -> None:
    with pytest.raises(Interrupted) as caught:
        fit(Send(3, signal.SIGTERM, signal.SIGTERM))

    assert read_checkpoint(caught.value.checkpoint)["global_step"] == 3


def test_a_second_ctrl_c_stops_at_once_without_touching_the_last_checkpoint(
    fit: Callable[[Callback], Path], tmp_path: Path
) -> None:
    # Lightning turns a KeyboardInterrupt into SystemExit.
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        fit(Send(8, signal.SIGINT, signal.SIGINT))

    (path,) = tmp_path.rglob("*.ckpt")
    assert read_checkpoint(path)["global_step"] == 6


@pytest.mark.parametrize("outcome", ["finished", "interrupted", "failed"])
def test_the_previous_signal_handlers_are_restored(
    outcome: str, fit: Callable[[Callback], Path]
) -> None:
    class Fail(Callback):
        def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
            raise RuntimeError("failed")

    before = {signum: signal.getsignal(signum) for signum in GracefulStop.SIGNALS}

    if outcome == "finished":
        fit(Callback())
    elif outcome == "interrupted":
        with pytest.raises(Interrupted):
            fit(Send(2, signal.SIGTERM))
    else:
        with pytest.raises(RuntimeError, match="failed"):
            fit(Fail())

    assert {signum: signal.getsignal(signum) for signum in GracefulStop.SIGNALS} == before


def test_without_a_signal_the_training_finishes(fit: Callable[[Callback], Path]) -> None:
    path = fit(Callback())

    assert read_checkpoint(path)["global_step"] == 12


def test_a_thread_that_may_not_set_handlers_trains_without_them(fit: Callable[..., Path]) -> None:
    with ThreadPoolExecutor(1) as threads:
        path = threads.submit(fit, Callback()).result()

    assert read_checkpoint(path)["global_step"] == 12


def test_a_handler_that_was_not_set_from_python_becomes_the_default_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handlers: dict[int, Any] = {}
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)  # returns None
    stop, trainer, model = GracefulStop(), SimpleNamespace(log_dir=""), SimpleNamespace()

    stop.on_train_start(trainer, model)  # type: ignore[arg-type]
    assert set(handlers.values()) == {stop._remember}
    stop.on_train_end(trainer, model)  # type: ignore[arg-type]

    assert handlers == dict.fromkeys(GracefulStop.SIGNALS, signal.SIG_DFL)
