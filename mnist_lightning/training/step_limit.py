"""A callback that has an epoch validated although ``max_steps`` ends it early."""

from typing import Any

from lightning import Callback, LightningModule, Trainer


class StepLimit(Callback):
    """Requests a stop at the last step of ``max_steps``, as ``max_time`` does.

    Lightning validates before it grants such a request, but not when ``max_steps`` itself ends an
    epoch: that epoch would be recorded with the validation metrics of the previous one.
    """

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Request the stop."""
        if trainer.global_step == trainer.max_steps:
            trainer.should_stop = True
