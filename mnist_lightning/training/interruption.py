"""Ctrl-C and SIGTERM: stop between two training steps, with a checkpoint."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from mnist_lightning.training.checkpoints import CHECKPOINTS, LAST
from mnist_lightning.training.processes import is_first_process


class Interrupted(Exception):  # noqa: N818  # a request, not an error
    """A signal stopped the training after a checkpoint was written.

    Args:
        signum: The signal.
        checkpoint: The file to resume from.
    """

    def __init__(self, signum: int, checkpoint: Path) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum
        self.checkpoint = checkpoint


class GracefulStop(Checkpoint):
    """On Ctrl-C or SIGTERM, saves a checkpoint between two steps and raises ``Interrupted``.

    An exception in the middle of a step would leave weights and optimiser half updated. A second
    Ctrl-C stops at once. It is a ``Checkpoint`` so that Lightning calls it after the callbacks
    whose state it saves; it must be the last callback.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self._checkpoint = Path()
        self._signum: int | None = None
        self._handlers: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Replace Lightning's signal handlers, which stop without a checkpoint."""
        self._checkpoint = Path(trainer.log_dir or "", CHECKPOINTS, LAST)
        for signum in self.SIGNALS:
            self._handle(signum, self._remember)

    def _handle(self, signum: int, handler: Callable[[int, FrameType | None], Any]) -> None:
        # Python lets the main thread alone set handlers, and runs them there.
        if threading.current_thread() is threading.main_thread():
            # There is no previous handler to restore if it was not set from Python.
            self._handlers[signum] = signal.signal(signum, handler) or signal.SIG_DFL

    def _remember(self, signum: int, frame: FrameType | None) -> None:
        self._signum = signum
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if is_first_process():
            # Not print(): the signal may have interrupted another one.
            os.write(2, b"\nstopping after this step; press Ctrl-C again to stop at once\n")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save and stop within an epoch."""
        # The last step of an epoch is left to on_train_epoch_end, after validation and checkpoint.
        last = batch_idx + 1 == trainer.num_training_batches or trainer.should_stop
        if self._requested(trainer) and not last:
            trainer.save_checkpoint(self._checkpoint)
            self._stop()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop at the end of an epoch, whose checkpoint has just been saved."""
        if self._requested(trainer):
            self._stop()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the signal handlers."""
        self._restore_handlers()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let SIGTERM end a test; Lightning would ignore it. A resumed run repeats the test."""
        self._handle(signal.SIGTERM, lambda signum, frame: sys.exit(128 + signum))

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the signal handlers."""
        self._restore_handlers()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Restore the signal handlers."""
        self._restore_handlers()

    def _requested(self, trainer: Trainer) -> bool:
        if trainer.world_size > 1:
            # Saving is a collective operation: all processes must stop at the same step.
            mine = torch.tensor(self._signum or 0, device=trainer.strategy.root_device)
            self._signum = int(trainer.strategy.reduce(mine, reduce_op="max")) or None
        return self._signum is not None

    def _stop(self) -> None:
        assert self._signum is not None
        raise Interrupted(self._signum, self._checkpoint)

    def _restore_handlers(self) -> None:
        while self._handlers:
            signal.signal(*self._handlers.popitem())
