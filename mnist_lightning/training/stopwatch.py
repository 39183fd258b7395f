"""A callback that measures the wall time of a training."""

import time
from typing import Any

from lightning import Callback, LightningModule, Trainer


class Stopwatch(Callback):
    """Counts the seconds of ``Trainer.fit``, summed over all parts of a resumed run.

    Lightning's Timer starts with the first epoch; this one includes the features of a frozen
    backbone, which are computed earlier. It stops at the end of the last epoch, before that
    epoch's checkpoints are written, so that resuming a finished run does not change its time.
    """

    def __init__(self) -> None:
        self._before = 0.0
        self._start: float | None = None
        self._end: float | None = None
        self._trains = False

    @property
    def seconds(self) -> float:
        """Wall time of the training so far."""
        if self._start is None:
            return self._before
        end = time.monotonic() if self._end is None else self._end
        return self._before + end - self._start

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Start when fitting begins."""
        if stage == "fit":
            self._start, self._end, self._trains = time.monotonic(), None, False

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep running since the end of the previous epoch."""
        self._end, self._trains = None, True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Hold the time, in case this epoch is the last one."""
        self._end = time.monotonic()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Stop; resuming a finished training adds no time."""
        if stage == "fit" and self._end is None:
            self._end = time.monotonic() if self._trains else self._start

    def state_dict(self) -> dict[str, Any]:
        """Return the seconds of the training so far."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from the seconds of a checkpoint."""
        self._before = state_dict["seconds"]
