"""A callback that saves the checkpoint of each epoch, the last of which is the result."""

from pathlib import Path

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason

from mnist_lightning.files.storage import copy_file
from mnist_lightning.training.checkpoints import CHECKPOINTS, LAST


class RunCheckpoint(Checkpoint):
    """Saves ``<run>/checkpoints/last.ckpt`` at the end of each epoch, after its validation.

    Lightning's ModelCheckpoint stores absolute paths of files in the checkpoint and deletes files
    by them; this callback has no state, so that a run can be moved or copied and resumed.

    Args:
        resume_from: The checkpoint to resume from, or None; Lightning does not tell callbacks.
    """

    def __init__(self, resume_from: Path | None = None) -> None:
        self._resume_from = resume_from
        self._path: Path | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find the folder of the run; with ``fast_dev_run`` there is none."""
        # log_dir is a collective operation: all processes must read it.
        folder = trainer.log_dir
        self._path = None if folder is None else Path(folder, CHECKPOINTS, LAST)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Train no further if EarlyStopping has ended the training of the checkpoint."""
        found = (callback.stopping_reason for callback in trainer.early_stopping_callbacks)
        if any(reason != EarlyStoppingReason.NOT_STOPPED for reason in found):
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the epoch."""
        if self._path is not None:
            trainer.save_checkpoint(self._path)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Copy the checkpoint of a finished run that is resumed in another folder."""
        if self._resume_from is None or self._path is None or self._path.is_file():
            return
        if trainer.is_global_zero:
            copy_file(self._resume_from, self._path)
