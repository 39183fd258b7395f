"""The other processes of a training: how they are started, waited for and missed.

Lightning kills all processes, itself included, when one of those that it started has died: the
shell says "Killed" and nothing else. Here the survivors say what happened and end by themselves.
"""

import atexit
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch.distributed as dist
from lightning import Trainer
from lightning.fabric.utilities.distributed import _set_num_threads_if_needed
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from lightning.pytorch.utilities import rank_zero_only

LOST = 1
"""Exit status of a process that stops because another one is lost."""

GRACE = 20.0
"""Seconds that a process is given to notice by itself that another one has died."""

#: Words of gloo about a connection that ended or a process that did not answer in time.
_GLOO = (
    "Connection closed by peer",
    "Connection reset by peer",
    "Timed out waiting",
    "Broken pipe",
)


def is_first_process() -> bool:
    """Return whether this process speaks for all of a training."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def silence_other_processes() -> None:
    """Let this process say nothing but errors, unless it is the first one."""
    if not is_first_process():
        logging.getLogger("mnist_lightning").setLevel(logging.ERROR)


def is_lost_peer(error: RuntimeError) -> bool:
    """Return whether an error says that another process of this training is dead or hangs.

    Args:
        error: Raised by a collective operation, e.g. the averaging of gradients.
    """
    return isinstance(error, dist.DistBackendError) or any(word in str(error) for word in _GLOO)


def lost_peer_message(resume: str) -> str:
    """Return what a process says that stops because another one is lost.

    Args:
        resume: The command that resumes the training.
    """
    return (
        "error: another process of this training died or hung, so this one stops; resume with\n"
        f"  {resume}"
    )


def watch_processes(trainer: Trainer, timeout: timedelta, resume: str) -> None:
    """Bound the time that the processes of a training wait for each other.

    Args:
        trainer: Just made. Only one with a strategy of DistributedDataParallel is changed.
        timeout: How long a process waits for one that lives and does not answer.
        resume: The command that resumes the training.
    """
    strategy = trainer.strategy
    if not isinstance(strategy, DDPStrategy):
        return
    strategy._timeout = timeout
    launcher = strategy.launcher
    if isinstance(launcher, _SubprocessScriptLauncher):
        strategy._launcher = _Launcher(
            launcher.cluster_environment, launcher.num_processes, launcher.num_nodes
        )
        strategy._launcher.message = lost_peer_message(resume)


class _Launcher(_SubprocessScriptLauncher):
    """Lightning's, but for what happens when one of the processes dies."""

    message: str

    def launch(
        self, function: Callable[..., Any], *args: Any, trainer: Any = None, **kwargs: Any
    ) -> Any:
        """Start the other processes of this machine, unless they are there, and call a function."""
        self.cluster_environment.validate_settings(
            num_devices=self.num_processes, num_nodes=self.num_nodes
        )
        if not self.cluster_environment.creates_processes_externally:
            self._call_children_scripts()
            atexit.register(_end, self.procs)
            watch = threading.Thread(target=_watch, args=(self.procs, self.message), daemon=True)
            watch.start()
        _set_num_threads_if_needed(num_processes=self.num_processes)
        return function(*args, **kwargs)


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    # One that hangs would outlive this process.
    deadline = time.monotonic() + GRACE
    while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
        time.sleep(0.1)
    for process in processes:
        process.kill()


def _watch(processes: list[subprocess.Popen[bytes]], message: str) -> None:
    while not any(process.poll() for process in processes):
        if all(process.returncode == 0 for process in processes):
            return
        time.sleep(0.5)
    # Between processors the connection ends with the process, and the main thread is told. One
    # that waits for a GPU is not.
    time.sleep(GRACE)
    for process in processes:
        process.kill()
    print(message, file=sys.stderr, flush=True)
    os._exit(LOST)
