"""A callback that keeps the metrics of each epoch in the checkpoint, a CSV file and the logs."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from mnist_lightning.files.storage import atomic_path

#: A run of fewer epochs records the loss of every step.
FEWEST_FOR_A_CURVE = 3
FILE_NAME = "metrics.csv"
CHARTS = {
    "training and validation": {
        name: ["Multiline", [f"train/{name}", f"val/{name}"]] for name in ("loss", "accuracy")
    }
}


class History(Checkpoint):
    """Adds one row per epoch to ``metrics.csv`` and to the loggers.

    The rows are part of the checkpoint, so a resumed run neither loses a row nor repeats one; that
    is why Lightning's CSVLogger is not used. It is a ``Checkpoint`` because Lightning calls those
    last, after the module has logged the epoch; it must come before the RunCheckpoint that saves
    its state.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        #: Git commit of the running program.
        self.running_commit: str | None = None
        #: Git commit of the program that trained last; saved in the checkpoint.
        self.commit: str | None = None
        #: Whether the training was resumed at least once.
        self.resumed = False
        #: Threads that torch used within one operation; saved in the checkpoint.
        self.threads: int | None = None
        #: The step and the training loss of every step of a short run; saved in the checkpoint.
        self.steps: list[tuple[int, float]] = []
        self._rate = 0.0
        self._pending: list[tuple[int, Tensor]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let TensorBoard draw training and validation in one chart."""
        self.commit = self.running_commit
        self.resumed = self.resumed or trainer.global_step > 0
        self.threads = torch.get_num_threads()
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_custom_scalars(CHARTS)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Keep the learning rate of this step: at its end, the scheduler has set the next one."""
        self._rate = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep the loss of this step if the run is too short for a curve over epochs."""
        if (trainer.max_epochs or 0) < FEWEST_FOR_A_CURVE:
            # Not as a number yet: that would wait for a GPU in each step.
            self._pending.append((trainer.global_step, outputs["loss"].detach()))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the row of this epoch, with the learning rate of its last step."""
        metrics = {
            name: value.item()
            for name, value in trainer.callback_metrics.items()
            if name.startswith(("train/", "val/"))
        }
        row = {"epoch": trainer.current_epoch + 1, "step": trainer.global_step, "lr": self._rate}
        self.rows.append(row | metrics)
        for logger in trainer.loggers:
            logger.log_metrics({"train/lr": self._rate, **metrics}, step=trainer.global_step)
            # Before the checkpoint: after a kill, a resumed run does not log this epoch again.
            logger.save()
        # log_dir is a collective operation: all processes must read it.
        folder = trainer.log_dir
        if trainer.is_global_zero and folder is not None and trainer.loggers:
            with atomic_path(Path(folder) / FILE_NAME) as path:
                self.table.to_csv(path, index=False)

    def ends_at(self, step: int) -> bool:
        """Return whether the last row is that of a step."""
        return bool(self.rows) and self.rows[-1]["step"] == step

    @property
    def table(self) -> pd.DataFrame:
        """One row per epoch: epoch (from 1), step, lr, then the metrics by name."""
        return pd.DataFrame(self.rows)

    @property
    def step_losses(self) -> "pd.Series[float]":
        """Training loss (nats) by step, of a short run; empty otherwise."""
        self.steps += [(step, loss.item()) for step, loss in self._pending]
        self._pending.clear()
        return pd.Series(dict(self.steps), dtype=float)

    def state_dict(self) -> dict[str, Any]:
        """Return the rows so far, the commit that trained them and whether the run was resumed."""
        losses = self.step_losses
        return {
            "rows": self.rows,
            "steps": list(zip(losses.index.tolist(), losses.tolist(), strict=True)),
            "commit": self.commit,
            "resumed": self.resumed,
            "threads": self.threads,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the rows of a checkpoint."""
        self.rows = list(state_dict["rows"])
        self.commit, self.resumed = state_dict["commit"], state_dict["resumed"]
        # Checkpoints of earlier versions do not have it.
        self.threads = state_dict.get("threads")
        self.steps = [(int(step), float(loss)) for step, loss in state_dict.get("steps", [])]
