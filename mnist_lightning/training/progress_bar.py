"""The progress bar of a training, and one line per epoch."""

import sys
import time
from datetime import timedelta
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from tqdm import tqdm

from mnist_lightning.terminal.long_jobs import SILENT_SECONDS


class TrainingProgress(ProgressBar, Checkpoint):
    """Shows one bar for the whole training in a terminal, and prints one line per epoch.

    Lightning's bars start again in each epoch. In a pipe or a log file only the lines are printed,
    each with the remaining time, and within a long epoch or test one every half minute. It is also
    a ``Checkpoint`` because Lightning calls those after the module has logged the epoch.
    """

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._bar: tqdm[Any] | None = None
        self._start = 0.0
        self._last_line = 0.0
        self._first_step = 0

    def disable(self) -> None:
        """Show nothing, because another process does."""
        self._enabled = False

    def enable(self) -> None:
        """Show the bar and the lines."""
        self._enabled = True

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Print a line above the bar."""
        if self._enabled:
            tqdm.write(" ".join(map(str, args)), file=sys.stdout)
            sys.stdout.flush()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the bar, at the current step of a resumed run."""
        self._start = self._last_line = time.monotonic()
        self._first_step = trainer.global_step
        self._bar = tqdm(
            desc="training",
            total=int(trainer.estimated_stepping_batches),
            initial=trainer.global_step,
            unit="step",
            disable=not (self._enabled and sys.stderr.isatty()),
            leave=False,
            dynamic_ncols=True,
        )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Advance the bar."""
        assert self._bar is not None
        self._bar.update()
        if self._is_silent():
            steps = int(trainer.estimated_stepping_batches)
            done = f"step {trainer.global_step:,}/{steps:,}"
            self.print("  ".join([self._epoch(trainer), done, self._times(trainer)]))

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show in the bar that the model is validated."""
        if self._bar is not None:
            self._bar.set_description("validating")

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Print a line now and then."""
        self._print_batch("validating", batch_idx, sum(trainer.num_val_batches))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show in the bar that the training continues."""
        if self._bar is not None:
            self._bar.set_description("training")

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print what follows the last epoch."""
        self._bar = None
        self._last_line = time.monotonic()
        self.print("testing the final weights ...")

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Print a line now and then."""
        self._print_batch("testing", batch_idx, sum(trainer.num_test_batches))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the line of the epoch."""
        metrics = {name: value.item() for name, value in trainer.callback_metrics.items()}
        parts = [self._epoch(trainer)]
        for stage in ("train", "val"):
            if f"{stage}/loss" in metrics:
                loss, accuracy = metrics[f"{stage}/loss"], metrics[f"{stage}/accuracy"]
                parts.append(f"{stage} loss {loss:.4f} accuracy {accuracy:7.2%}")
        self.print("  ".join([*parts, self._times(trainer)]))

    def _is_silent(self) -> bool:
        """Return whether there is no bar, and the last line was half a minute ago."""
        shown = self._bar is not None and not self._bar.disable
        return not shown and time.monotonic() - self._last_line >= SILENT_SECONDS

    def _print_batch(self, stage: str, batch_idx: int, batches: float) -> None:
        if self._is_silent():
            self._last_line = time.monotonic()
            self.print(f"{stage}: batch {batch_idx + 1:,}/{batches:,.0f}")

    def _epoch(self, trainer: Trainer) -> str:
        return f"epoch {trainer.current_epoch + 1:>3}/{trainer.max_epochs}"

    def _times(self, trainer: Trainer) -> str:
        self._last_line = time.monotonic()
        elapsed = self._last_line - self._start
        done = max(trainer.global_step - self._first_step, 1)
        steps_left = max(int(trainer.estimated_stepping_batches) - trainer.global_step, 0)
        left = elapsed / done * steps_left
        return f"{timedelta(seconds=round(elapsed))} left {timedelta(seconds=round(left))}"

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remove the bar."""
        self._close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Remove the bar before the error message."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
