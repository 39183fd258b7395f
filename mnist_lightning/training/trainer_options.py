"""Options of Lightning's Trainer that do not fit this study, refused with what to use instead."""

import inspect
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lightning import Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException

from mnist_lightning.errors import UserError
from mnist_lightning.terminal.messages import shorten
from mnist_lightning.terminal.parser import lacks_memory

#: Processes on one machine: more than its cores, or than GPUs fit into one, only fill its memory.
MAX_DEVICES = max(16, os.cpu_count() or 1)
MAX_NODES = 1024
#: The metrics that a callback can monitor.
METRICS = ("train/loss", "train/accuracy", "val/loss", "val/accuracy")

_PROGRESS = "the training has its own progress bar"
_AVERAGE = "use --ema.decay to average the weights"
_STRATEGY = "use --model resnet50_finetune to unfreeze a network step by step"
#: Callbacks that do not work here, and the reason or the replacement.
_CALLBACKS = {
    "BackboneFinetuning": _STRATEGY,
    "BatchSizeFinder": "use --data.batch_size; the learning rate is planned for a number of steps",
    "EMAWeightAveraging": _AVERAGE,
    "LearningRateFinder": "use --model.learning_rate; the schedule would replace the found value",
    "OnExceptionCheckpoint": "use --ckpt_path last; an interrupted training saves a checkpoint",
    "RichProgressBar": _PROGRESS,
    "StochasticWeightAveraging": _AVERAGE,
    "TQDMProgressBar": _PROGRESS,
    "Timer": "use --trainer.max_time",
    "WeightAveraging": _AVERAGE,
}
#: Options that have no effect or do not fit the program, their accepted values, and the remedy.
_OPTIONS: dict[str, tuple[tuple[Any, ...], str]] = {
    "barebones": (
        (False,),
        "must be false: a training needs its logs, checkpoints and progress; "
        "use --trainer.fast_dev_run true to write no files",
    ),
    "check_val_every_n_epoch": ((1,), "must be 1: each epoch is validated"),
    "default_root_dir": ((None,), "has no effect; use --output_dir for the folder of all files"),
    "enable_checkpointing": (
        (None, True),
        "must be true: a run is resumed from its checkpoint; "
        "use --trainer.fast_dev_run true to write no files",
    ),
    "overfit_batches": (
        (0,),
        "is not supported; use --trainer.limit_train_batches for a few batches per epoch",
    ),
    "val_check_interval": ((None, 1), "must be 1.0: each epoch is validated at its end"),
}
#: What Lightning raises for options that do not fit, or that a machine cannot satisfy.
_PYTHON_ERRORS = (AttributeError, ImportError, MemoryError, RuntimeError, TypeError, ValueError)
_ERRORS = (*_PYTHON_ERRORS, MisconfigurationException)
#: Messages of Lightning that an option causes, and what to tell the user instead.
_REASONS = (
    (
        r"`devices` selected with `CPU|Trainer\(devices=.*using cpu",
        "--trainer.devices is the number of processes on a CPU: give a whole number above 0; "
        "only GPUs have indices",
    ),
    (
        r"No supported gpu|torch_xla|can not run on your system|accelerator .*not available",
        "--trainer.accelerator: this machine has no such device, or its package is not installed; "
        "use auto or cpu",
    ),
    (
        r"Timer\(duration=",
        "--trainer.max_time must have the form DD:HH:MM:SS (days, hours, minutes, seconds)",
    ),
    (
        r"more than one stateful callback",
        "--trainer.callbacks contains two callbacks with the same arguments; omit one of them",
    ),
)


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that Lightning accepts, but that do not fit a training of this study.

    Args:
        options: The options of the Trainer by name, as parsed from the command line.

    Raises:
        UserError: One of them does not fit; the message names a replacement.
    """
    for name, (accepted, remedy) in _OPTIONS.items():
        if options.get(name, accepted[0]) not in accepted:
            raise UserError(f"--trainer.{name} {remedy}")
    limits = [f"limit_{stage}_batches" for stage in ("train", "val", "test")]
    for name in (*limits, "max_steps", "accumulate_grad_batches"):
        value = options.get(name)
        # -1 steps are a training without that limit.
        if value is not None and value <= 0 and (name, value) != ("max_steps", -1):
            raise UserError(f"--trainer.{name} must be above 0, not {value}")
    for name, most in (("devices", MAX_DEVICES), ("num_nodes", MAX_NODES)):
        # Indices of devices, or their number, which may be text.
        value = options.get(name)
        number = len(value) if isinstance(value, list) else value
        if str(number).isdecimal() and int(str(number)) > most:
            raise UserError(f"--trainer.{name} must be at most {most:,} here, not {number}")
    for name in ("min_epochs", "min_steps"):
        # Lightning would not validate the epoch that max_steps cuts.
        if options.get(name) and options.get("max_steps", -1) > 0:
            raise UserError(
                f"--trainer.{name} and --trainer.max_steps exclude each other; omit one of them"
            )
    callbacks = options.get("callbacks") or []
    for callback in callbacks if isinstance(callbacks, list) else [callbacks]:
        _check_callback(callback)


def _check_callback(callback: Any) -> None:
    """Refuse a callback, described by a class path and its arguments, that does not work here."""
    name = str(callback.get("class_path", "")).rpartition(".")[2]
    if name in _CALLBACKS:
        raise UserError(f"--trainer.callbacks: {name} is not supported: {_CALLBACKS[name]}")
    monitor = (callback.get("init_args") or {}).get("monitor")
    if name in ("EarlyStopping", "ModelCheckpoint") and monitor not in (None, *METRICS):
        raise UserError(
            f"--trainer.callbacks: there is no metric '{monitor}' to monitor; "
            f"choose from {', '.join(METRICS)}"
        )


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what Lightning reports about options, and a lack of memory, into errors of one line.

    Raises:
        UserError: Such an error; all others pass unchanged.
    """
    try:
        yield
    except _ERRORS as error:
        if lacks_memory(error):
            raise UserError(
                "there is not enough memory for this training; use a smaller --data.batch_size"
            ) from error
        if not _is_raised_by_lightning(error):
            raise
        for pattern, reason in _REASONS:
            if re.search(pattern, str(error)):
                raise UserError(reason) from error
        raise UserError(shorten(_with_option_names(str(error)))) from error


def _with_option_names(message: str) -> str:
    """Replace the quoted arguments of Lightning's Trainer by options of the command line."""
    names = inspect.signature(Trainer.__init__).parameters
    return re.sub(
        r"`(\w+)`",
        lambda found: f"--trainer.{found[1]}" if found[1] in names else found[0],
        message,
    )


def _is_raised_by_lightning(error: BaseException) -> bool:
    """Return whether the exception comes from the code of Lightning or of jsonargparse."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    module = traceback.tb_frame.f_globals.get("__name__", "") if traceback else ""
    return module.partition(".")[0] in {"lightning", "lightning_utilities", "jsonargparse"}
