"""How long a training takes."""

import time
from typing import Any

from lightning import Callback, LightningModule, Trainer


class Stopwatch(Callback):
    """Counts the seconds of ``Trainer.fit``, over all parts of a resumed run.

    Lightning's Timer starts with the first epoch; here the features of a frozen backbone, which
    are computed before, are part of the training. It ends with the last epoch, before that epoch's
    checkpoints are written, so that a finished run says the same of itself whenever it is resumed.
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
        """Start."""
        if stage == "fit":
            self._start, self._end, self._trains = time.monotonic(), None, False

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Run, without a gap since the epoch before."""
        self._end, self._trains = None, True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Hold; the next epoch lets it run again."""
        self._end = time.monotonic()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Stop; a finished training, which had nothing left to do, took no time."""
        if stage == "fit" and self._end is None:
            self._end = time.monotonic() if self._trains else self._start

    def state_dict(self) -> dict[str, Any]:
        """Return the seconds so far."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Count on from where the checkpoint was written."""
        self._before = state_dict["seconds"]
