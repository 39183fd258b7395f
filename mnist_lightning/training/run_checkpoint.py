"""A ModelCheckpoint whose run can be moved to another folder and resumed there."""

from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from mnist_lightning.files.storage import copy_file


class RunCheckpoint(ModelCheckpoint):
    """Keeps one file, ``<run>/checkpoints/<file name>``, written at the end of an epoch.

    Of equally good epochs it keeps the last one: a few thousand validation images often cannot
    distinguish two epochs, and the later one was trained with a smaller learning rate.

    Lightning stores the absolute path of the best checkpoint and forgets the best score when the
    folder has changed. Here a run that was moved or copied continues with its paths adapted.

    Args:
        file_name: Name of the file, ending with ``.ckpt``.
        monitor: Metric that decides whether the file is replaced; None always replaces it.
        mode: Whether a larger (``max``) or a smaller (``min``) metric is better.
        resume_from: The checkpoint to resume from, or None; Lightning does not tell callbacks.
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
            # After validation, when all metrics of the epoch are known.
            save_on_train_epoch_end=True,
            enable_version_counter=False,
            auto_insert_metric_name=False,
        )
        self._resume_from = resume_from
        self._state_key = super().state_key

    @property
    def state_key(self) -> str:
        """Lightning's key, computed once instead of in every hook of every step."""
        return self._state_key

    def check_monitor_top_k(self, trainer: Trainer, current: Tensor | None = None) -> bool:
        """Replace the file also by an equally good one; Lightning requires a better one."""
        equal = current is not None and bool(current == self.best_model_score)
        return super().check_monitor_top_k(trainer, current) or (
            trainer.strategy.reduce_boolean_decision(equal)
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state with all paths moved to this run's folder."""
        assert self.dirpath is not None
        name = Path(state_dict["best_model_path"]).name
        moved = Path(self.dirpath, name)
        # Only from the checkpoint's own folder: an untrusted checkpoint may name any file.
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

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """If no step was left to train, copy the checkpoint resumed from to the last one.

        A run killed between writing its two final checkpoints is complete only in the best one.
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
    """Return whether a file exists and is not older than another."""
    return path.is_file() and path.stat().st_mtime_ns >= other.stat().st_mtime_ns
