"""What is seen while a model trains."""

import sys
import time
from datetime import timedelta
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from tqdm import tqdm


class TrainingProgress(ProgressBar, Checkpoint):
    """A bar over the whole training with its ETA in a terminal, and one line for each epoch.

    In a pipe or a log file only the lines are printed, each with the time that is left. It is a
    ``Checkpoint`` too because Lightning calls those after the module has logged the epoch.
    """

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._bar: tqdm[Any] | None = None
        self._start = 0.0
        self._first_step = 0

    def disable(self) -> None:
        """Keep quiet: another process reports."""
        self._enabled = False

    def enable(self) -> None:
        """Report."""
        self._enabled = True

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Print a line above the bar."""
        if self._enabled:
            tqdm.write(" ".join(map(str, args)), file=sys.stdout)
            sys.stdout.flush()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin the bar, where a resumed run left it."""
        self._start = time.monotonic()
        self._first_step = trainer.global_step
        self._bar = tqdm(
            desc="training",
            total=self._steps(trainer),
            initial=trainer.global_step,
            unit="step",
            disable=not (self._enabled and sys.stderr.isatty()),
            leave=False,
            dynamic_ncols=True,
        )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the bar."""
        assert self._bar is not None
        self._bar.update()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the line of the epoch."""
        metrics = {name: value.item() for name, value in trainer.callback_metrics.items()}
        parts = [f"epoch {trainer.current_epoch + 1:>3}/{trainer.max_epochs}"]
        for stage in ("train", "val"):
            if f"{stage}/loss" in metrics:
                loss, accuracy = metrics[f"{stage}/loss"], metrics[f"{stage}/accuracy"]
                parts.append(f"{stage} loss {loss:.4f} accuracy {accuracy:7.2%}")
        self.print("  ".join([*parts, self._times(trainer)]))

    def _times(self, trainer: Trainer) -> str:
        elapsed = time.monotonic() - self._start
        done = max(trainer.global_step - self._first_step, 1)
        left = elapsed / done * max(self._steps(trainer) - trainer.global_step, 0)
        return f"{timedelta(seconds=round(elapsed))} left {timedelta(seconds=round(left))}"

    @staticmethod
    def _steps(trainer: Trainer) -> int:
        return int(trainer.estimated_stepping_batches)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remove the bar."""
        self._close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Remove the bar, so that the message stands alone."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
