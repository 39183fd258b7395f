"""Lightning's Trainer, with a precision that suits the machine."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, NewType

from lightning import Trainer
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.plugins import MixedPrecision

from mnist_lightning.errors import UserError
from mnist_lightning.training.allocator import keep_freed_memory
from mnist_lightning.training.checkpoints import AtomicCheckpointIO
from mnist_lightning.training.precision import choose_precision

# Lightning says int or float. To typing that is the same as float or int, and it gives back what
# some library has named first: "1", one batch, would be read as 1.0, all of them.
Share = NewType("Share", float)
Limit = int | Share | None
Precision = Literal["auto", "32-true", "bf16-mixed", "16-mixed", "64-true", "bf16-true", "16-true"]


class StudyTrainer(Trainer):
    """A Trainer that chooses its precision by the hardware when it is told ``auto``.

    Args:
        precision: `auto` takes bf16-mixed where the device has it in hardware, else 32-true.
        timeout: Seconds that a process waits for another one that does not answer before it gives
            up. The default leaves the first process the time to measure and export a model.
        limit_train_batches: Batches of a training epoch: 1 is one of them, 1.0 all, 0.5 half.
        limit_val_batches: The same for validation.
        limit_test_batches: The same for the test.
        **kwargs: See lightning.Trainer.

    Raises:
        ValueError: An option would leave nothing to train, to choose the best epoch by or to test.
    """

    def __init__(
        self,
        *,
        precision: Precision = "auto",
        timeout: float = 1800,
        limit_train_batches: Limit = None,
        limit_val_batches: Limit = None,
        limit_test_batches: Limit = None,
        **kwargs: Any,
    ) -> None:
        kwargs["limit_train_batches"] = limit_train_batches
        kwargs["limit_val_batches"] = limit_val_batches
        kwargs["limit_test_batches"] = limit_test_batches
        _check(kwargs)
        keep_freed_memory()
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

    def fit(self, *args: Any, **kwargs: Any) -> None:
        """Train, see lightning.Trainer.

        Raises:
            UserError: Options do not fit each other or the data.
        """
        try:
            super().fit(*args, **kwargs)
        except MisconfigurationException as error:
            raise UserError(" ".join(str(error).split())) from error


def _check(options: Mapping[str, Any]) -> None:
    """Refuse what Lightning accepts, only to end in a traceback when the work has begun."""
    limits = [f"limit_{stage}_batches" for stage in ("train", "val", "test")]
    for name in (*limits, "max_steps", "accumulate_grad_batches"):
        if options.get(name) == 0:
            raise ValueError(f"--trainer.{name} must be above 0, or nothing can be done")
    if options.get("check_val_every_n_epoch", 1) != 1:
        raise ValueError(
            "--trainer.check_val_every_n_epoch must be 1, because the best epoch is chosen by "
            "validating each"
        )
