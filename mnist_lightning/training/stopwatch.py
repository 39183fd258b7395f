"""How long a training takes."""

import time
from typing import Any

from lightning import Callback, LightningModule, Trainer


class Stopwatch(Callback):
    """Counts the seconds of ``Trainer.fit``, over all parts of a resumed run.

    Lightning's Timer starts with the first epoch; here the features of a frozen backbone, which
    are computed before, are part of the training.
    """

    def __init__(self) -> None:
        self._before = 0.0
        self._start: float | None = None
        self._end: float | None = None

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
            self._start, self._end = time.monotonic(), None

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Stop, also where a finished training had nothing left to do."""
        if stage == "fit":
            self._end = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """Return the seconds so far."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Count on from where the checkpoint was written."""
        self._before = state_dict["seconds"]
