"""Checkpoints that survive the move of their folder."""

from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from mnist_lightning.files.storage import copy_file


class RunCheckpoint(ModelCheckpoint):
    """Keeps one file, ``<run>/checkpoints/<file name>``, written at the end of an epoch.

    Of equally good epochs the last one stays: some thousand validation images often cannot tell
    two apart, and the later one has learned with a smaller learning rate.

    Lightning remembers the best checkpoint by its absolute path, and forgets the best score when
    that has changed. A run that was moved or copied goes on here as if it had always been where it
    is now.

    Args:
        file_name: Name of the file, ending with ``.ckpt``.
        monitor: Metric that decides whether the file is replaced; None replaces it always.
        mode: Whether the metric shall be large (``max``) or small (``min``).
        resume_from: The checkpoint that the run continues, or None. Lightning tells no callback.
    """

    def __init__(
        self,
        file_name: str,
        monitor: str | None = None,
        mode: str = "min",
        resume_from: Path | None = None,
    ) -> None:
        super().__init__(
            filename=file_name.removesuffix(self.FILE_EXTENSION),
            monitor=monitor,
            mode=mode,
            # When everything of the epoch has been logged and trained.
            save_on_train_epoch_end=True,
            enable_version_counter=False,
            auto_insert_metric_name=False,
        )
        self._resume_from = resume_from
        self._state_key = super().state_key

    @property
    def state_key(self) -> str:
        """Lightning's key; it would put it together anew in every hook of every step."""
        return self._state_key

    def check_monitor_top_k(self, trainer: Trainer, current: Tensor | None = None) -> bool:
        """Replace the file by one that is better or as good; Lightning asks for a better one."""
        equal = current is not None and bool(current == self.best_model_score)
        return super().check_monitor_top_k(trainer, current) or (
            trainer.strategy.reduce_boolean_decision(equal)
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue with the paths of the checkpoint moved to this run's folder."""
        assert self.dirpath is not None
        name = Path(state_dict["best_model_path"]).name
        moved = Path(self.dirpath, name)
        # Only what lies beside the checkpoint: one from a stranger may name any file there is.
        before = None if self._resume_from is None else self._resume_from.parent / name
        if before is not None and before.is_file() and not moved.is_file():
            copy_file(before, moved)
        state = dict(state_dict)
        for key in ("best_model_path", "kth_best_model_path", "last_model_path"):
            state[key] = self._moved(state[key])
        state["best_k_models"] = {
            self._moved(path): score for path, score in state["best_k_models"].items()
        }
        super().load_state_dict({**state, "dirpath": self.dirpath})

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write, unless the epoch was cut off before its validation, e.g. by ``max_steps``."""
        if self.monitor is None or self.monitor in trainer.callback_metrics:
            super().on_train_epoch_end(trainer, pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Where nothing was left to train, let the last checkpoint be the one resumed from.

        A run that is killed between its last two checkpoints is complete in the best one only.
        """
        assert self.dirpath is not None
        trained = self._last_global_step_saved > 0
        # Lightning sets the attribute without declaring it.
        dry = getattr(trainer, "fast_dev_run", False)
        if self.monitor or self._resume_from is None or trained or dry:
            return
        path = Path(self.dirpath, f"{self.filename}{self.FILE_EXTENSION}")
        if trainer.is_global_zero and not _is_newer(path, self._resume_from):
            copy_file(self._resume_from, path)

    def _moved(self, path: str) -> str:
        return str(Path(self.dirpath or "", Path(path).name)) if path else path


def _is_newer(path: Path, other: Path) -> bool:
    """Whether a file is there and not older than another."""
    return path.is_file() and path.stat().st_mtime_ns >= other.stat().st_mtime_ns
