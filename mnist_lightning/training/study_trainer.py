"""Lightning's Trainer with an automatic precision, atomic checkpoints and a time-out for DDP."""

import atexit
import signal
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, NewType

from lightning import Trainer
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.plugins import MixedPrecision
from lightning.pytorch.strategies import DDPStrategy

from mnist_lightning.errors import UserError
from mnist_lightning.training.allocator import keep_freed_memory
from mnist_lightning.training.checkpoints import AtomicCheckpointIO
from mnist_lightning.training.precision import choose_precision

# Lightning annotates int | float. typing treats float | int as equal and caches whichever order any
# library used first; with float first, "1" (one batch) would be parsed as 1.0 (all batches).
Share = NewType("Share", float)
Limit = int | Share | None
Precision = Literal["auto", "32-true", "bf16-mixed", "16-mixed", "64-true", "bf16-true", "16-true"]
_KILL = signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL


class StudyTrainer(Trainer):
    """A Trainer that chooses its precision by the hardware.

    Args:
        precision: `auto` chooses bf16-mixed if the device supports it in hardware, else 32-true.
        timeout: With --trainer.strategy ddp, seconds that a process waits for another one that
            does not answer before it stops with an error. The default leaves the first process
            enough time to measure and export a model.
        limit_train_batches: Batches per training epoch: 1 is one batch, 1.0 all, 0.5 half of them.
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
        if kwargs.get("strategy") == "ddp":
            kwargs["strategy"] = DDPStrategy(timeout=timedelta(seconds=timeout))
        keep_freed_memory()
        super().__init__(precision=None if precision == "auto" else precision, **kwargs)
        if self.strategy.launcher is not None:
            # A process that hangs would outlive this one.
            atexit.register(self.strategy.launcher.kill, _KILL)
        if type(self.strategy.checkpoint_io) is TorchCheckpointIO:
            self.strategy.checkpoint_io = AtomicCheckpointIO()
        #: The reason for the precision, in a few words.
        self.precision_reason = "as requested"
        if precision == "auto":
            # Only after its construction does a Trainer know its device.
            device = self.strategy.root_device.type
            chosen, self.precision_reason = choose_precision(device)
            if chosen == "bf16-mixed":
                self.strategy.precision_plugin = MixedPrecision("bf16-mixed", device)

    def fit(self, *args: Any, **kwargs: Any) -> None:
        """Train, see lightning.Trainer.

        Raises:
            UserError: Options contradict each other or do not fit the data.
        """
        try:
            super().fit(*args, **kwargs)
        except MisconfigurationException as error:
            raise UserError(" ".join(str(error).split())) from error


def _check(options: Mapping[str, Any]) -> None:
    """Refuse options that Lightning accepts, but that fail later with a traceback."""
    limits = [f"limit_{stage}_batches" for stage in ("train", "val", "test")]
    for name in (*limits, "max_steps", "accumulate_grad_batches"):
        if options.get(name) == 0:
            raise ValueError(f"--trainer.{name} must be above 0")
    if options.get("check_val_every_n_epoch", 1) != 1:
        raise ValueError(
            "--trainer.check_val_every_n_epoch must be 1: each epoch is validated to choose the "
            "best one"
        )
