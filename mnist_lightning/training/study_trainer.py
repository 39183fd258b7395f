"""Lightning's Trainer with an automatic precision, atomic checkpoints and a time-out for DDP."""

import atexit
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, NewType

from lightning import Trainer
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.plugins import MixedPrecision
from lightning.pytorch.strategies import DDPStrategy

from mnist_lightning.errors import UserError
from mnist_lightning.training.allocator import keep_freed_memory
from mnist_lightning.training.checkpoints import AtomicCheckpointIO
from mnist_lightning.training.no_profiler import NoProfiler
from mnist_lightning.training.precision import choose_precision
from mnist_lightning.training.trainer_options import one_line_errors

# Lightning annotates int | float. typing treats float | int as equal and caches whichever order any
# library used first; with float first, "1" (one batch) would be parsed as 1.0 (all batches).
Share = NewType("Share", float)
Limit = int | Share | None
# The images are converted to float32, so that weights of another type ("16-true") would not fit.
Precision = Literal["auto", "32-true", "bf16-mixed", "16-mixed"]
#: Types of the devices that 16-mixed is offered on.
FLOAT16_DEVICES = ("cuda",)
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
        UserError: The device does not support the precision.
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
        kwargs["profiler"] = kwargs.get("profiler") or NoProfiler()
        if kwargs.get("strategy") == "ddp":
            kwargs["strategy"] = DDPStrategy(timeout=timedelta(seconds=timeout))
        keep_freed_memory()
        # Only after its construction does a Trainer know its device. Given "16-mixed", it would use
        # bfloat16 on a CPU.
        first: Any = None if precision in ("auto", "16-mixed") else precision
        super().__init__(precision=first, **kwargs)
        if self.strategy.launcher is not None:
            # A process that hangs would outlive this one.
            atexit.register(self.strategy.launcher.kill, _KILL)
        if type(self.strategy.checkpoint_io) is TorchCheckpointIO:
            self.strategy.checkpoint_io = AtomicCheckpointIO()
        #: The reason for the precision, in a few words.
        self.precision_reason = "as requested"
        device = self.strategy.root_device.type
        if precision == "auto":
            chosen, self.precision_reason = choose_precision(device)
            if chosen == "bf16-mixed":
                self.strategy.precision_plugin = MixedPrecision("bf16-mixed", device)
        elif precision == "16-mixed":
            if device not in FLOAT16_DEVICES:
                raise UserError("--trainer.precision 16-mixed needs an NVIDIA GPU; use auto")
            self.strategy.precision_plugin = MixedPrecision("16-mixed", device)

    def fit(self, *args: Any, **kwargs: Any) -> None:
        """Train, see lightning.Trainer.

        Raises:
            UserError: Options contradict each other or do not fit the data, or memory runs out.
        """
        found = sorted(Path(self.default_root_dir).glob("hpc_ckpt_*.ckpt"))
        if found and kwargs.get("ckpt_path") is None:
            # On SLURM, Lightning would resume from it without being asked.
            raise UserError(
                f"{found[0]} is a checkpoint of a SLURM job; move it away to start a new training, "
                "or resume with --ckpt_path and its name"
            )
        with one_line_errors():
            super().fit(*args, **kwargs)

    def test(self, *args: Any, **kwargs: Any) -> Any:
        """Test, see lightning.Trainer.

        Raises:
            UserError: As for ``fit``.
        """
        with one_line_errors():
            return super().test(*args, **kwargs)
