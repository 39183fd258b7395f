"""Stopping on request without losing a step."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from mnist_lightning.training.checkpoints import CHECKPOINTS, LAST
from mnist_lightning.training.peers import is_first_process


class Interrupted(Exception):  # noqa: N818  # it is a request, not an error
    """Training was asked to stop, and a checkpoint has been written.

    Args:
        signum: The signal that asked.
        checkpoint: The file to resume from.
    """

    def __init__(self, signum: int, checkpoint: Path) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum
        self.checkpoint = checkpoint


class GracefulStop(Checkpoint):
    """Turns Ctrl-C and SIGTERM into a checkpoint between two steps and an ``Interrupted``.

    An exception in the middle of a step would leave weights and optimiser half updated. A second
    Ctrl-C stops at once. It is a ``Checkpoint`` so that Lightning calls it after the callbacks
    whose state it saves; it must stand last.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self._checkpoint = Path()
        self._signum: int | None = None
        self._handlers: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over from Lightning's own handlers, which stop without a checkpoint."""
        self._checkpoint = Path(trainer.log_dir or "", CHECKPOINTS, LAST)
        for signum in self.SIGNALS:
            self._handlers[signum] = signal.signal(signum, self._remember)

    def _remember(self, signum: int, frame: FrameType | None) -> None:
        self._signum = signum
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if is_first_process():
            # Not print(): the signal may have come in the middle of another one.
            os.write(2, b"\nstopping after this step; Ctrl-C stops at once\n")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save and stop in the middle of an epoch."""
        # After the last step of an epoch the validation is due; the epoch's own checkpoint follows.
        if self._asked(trainer) and batch_idx + 1 < trainer.num_training_batches:
            trainer.save_checkpoint(self._checkpoint)
            self._stop()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop at the end of an epoch, whose checkpoint has just been saved."""
        if self._asked(trainer):
            self._stop()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the signals back."""
        self._restore_handlers()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let SIGTERM end a test, which a resumed run repeats; Lightning would overlook it."""
        self._handlers[signal.SIGTERM] = signal.signal(signal.SIGTERM, self._leave)

    @staticmethod
    def _leave(signum: int, frame: FrameType | None) -> NoReturn:
        sys.exit(128 + signum)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the signals back."""
        self._restore_handlers()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Give the signals back."""
        self._restore_handlers()

    def _asked(self, trainer: Trainer) -> bool:
        if trainer.world_size > 1:
            # Saving is a joint effort: all processes must stop at the same step, for one reason.
            mine = torch.tensor(self._signum or 0, device=trainer.strategy.root_device)
            self._signum = int(trainer.strategy.reduce(mine, reduce_op="max")) or None
        return self._signum is not None

    def _stop(self) -> None:
        assert self._signum is not None
        raise Interrupted(self._signum, self._checkpoint)

    def _restore_handlers(self) -> None:
        while self._handlers:
            signal.signal(*self._handlers.popitem())
