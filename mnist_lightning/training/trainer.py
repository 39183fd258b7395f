"""Lightning's Trainer, with a precision that suits the machine."""

from datetime import timedelta
from typing import Any, Literal

from lightning import Trainer
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.plugins import MixedPrecision

from mnist_lightning.training.checkpoint_file import AtomicCheckpointIO
from mnist_lightning.training.precision import choose_precision

Precision = Literal["auto", "32-true", "bf16-mixed", "16-mixed", "64-true", "bf16-true", "16-true"]


class StudyTrainer(Trainer):
    """A Trainer that chooses its precision by the hardware when it is told ``auto``.

    Args:
        precision: `auto` takes bf16-mixed where the device has it in hardware, else 32-true.
        timeout: Seconds that a process waits for another one that does not answer before it gives
            up. The default leaves the first process the time to measure and export a model.
        **kwargs: See lightning.Trainer.
    """

    def __init__(
        self, *, precision: Precision = "auto", timeout: float = 1800, **kwargs: Any
    ) -> None:
        super().__init__(precision=None if precision == "auto" else precision, **kwargs)
        self.timeout = timedelta(seconds=timeout)
        if type(self.strategy.checkpoint_io) is TorchCheckpointIO:
            self.strategy.checkpoint_io = AtomicCheckpointIO()
        #: Why this precision, in a few words.
        self.precision_reason = "as asked for"
        if precision == "auto":
            # Only a Trainer that has been made knows its device.
            device = self.strategy.root_device.type
            chosen, self.precision_reason = choose_precision(device)
            if chosen == "bf16-mixed":
                self.strategy.precision_plugin = MixedPrecision("bf16-mixed", device)
