"""What was measured in each epoch, kept in the checkpoint and written wherever it is read."""

from pathlib import Path
from typing import Any

import pandas as pd
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.loggers import TensorBoardLogger

from mnist_lightning.files.storage import atomic_path

FILE_NAME = "metrics.csv"
CHARTS = {
    "training and validation": {
        name: ["Multiline", [f"train/{name}", f"val/{name}"]] for name in ("loss", "accuracy")
    }
}


class History(Checkpoint):
    """Collects one row an epoch and hands it to ``metrics.csv`` and to the loggers.

    The rows are part of the checkpoint, so that a resumed run continues them: no row is lost and
    none is there twice. It is a ``Checkpoint`` because Lightning calls those last, after the
    module has logged the epoch; it must stand before the ModelCheckpoint that saves it.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        #: Git commit of the running program, for the checkpoints it writes.
        self.running_commit: str | None = None
        #: Git commit of the program that trained last.
        self.commit: str | None = None
        #: Whether the training was continued from a checkpoint at least once.
        self.resumed = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell TensorBoard to draw training and validation on one chart each."""
        self.commit = self.running_commit
        self.resumed = self.resumed or trainer.global_step > 0
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_custom_scalars(CHARTS)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the row of this epoch."""
        metrics = {
            name: value.item()
            for name, value in trainer.callback_metrics.items()
            if name.startswith(("train/", "val/"))
        }
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        row = {"epoch": trainer.current_epoch + 1, "step": trainer.global_step, "lr": rate}
        self.rows.append(row | metrics)
        for logger in trainer.loggers:
            logger.log_metrics({"lr": rate, **metrics}, step=trainer.global_step)
            # Before the checkpoint is: a killed run that is resumed does not log the epoch again.
            logger.save()
        # To ask for the folder is a joint effort of all processes: one alone would wait for ever.
        folder = trainer.log_dir
        if trainer.is_global_zero and folder is not None and trainer.loggers:
            with atomic_path(Path(folder) / FILE_NAME) as path:
                self.table.to_csv(path, index=False)

    @property
    def table(self) -> pd.DataFrame:
        """One row an epoch: epoch (from 1), step, lr, then the metrics by name."""
        return pd.DataFrame(self.rows)

    def state_dict(self) -> dict[str, Any]:
        """Return the rows so far, and what trained them."""
        return {"rows": self.rows, "commit": self.commit, "resumed": self.resumed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue the rows of a checkpoint."""
        self.rows = list(state_dict["rows"])
        self.commit, self.resumed = state_dict["commit"], state_dict["resumed"]
