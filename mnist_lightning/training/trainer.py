"""Lightning's Trainer, with a precision that suits the machine."""

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
        **kwargs: See lightning.Trainer.
    """

    def __init__(self, *, precision: Precision = "auto", **kwargs: Any) -> None:
        super().__init__(precision=None if precision == "auto" else precision, **kwargs)
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
