"""A training in two processes, forked from one process that has imported everything.

Importing PyTorch and Lightning twice takes longer than the trainings of the tests. All else is as
with ``scripts/train.py --trainer.devices 2 --trainer.strategy ddp``: Lightning's launcher starts
the second process, and each of the two ends as it does there.
"""

import atexit
import multiprocessing
import os
import signal
import sys
import time
import traceback
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import SimpleNamespace

from lightning.pytorch.strategies.launchers import subprocess_script
from lightning.pytorch.utilities import rank_zero_only

from benchmarks.kill_sweep import CONTEXT, shorten_training, start
from mnist_lightning.train import main

#: 350 images are three steps per epoch.
TWO = ["--data.batch_size", "64", "--trainer.devices", "2", "--trainer.strategy", "ddp"]


class _Forked:
    """The part of ``subprocess.Popen`` that Lightning's launcher uses."""

    def __init__(self, command: list[str], env: dict[str, str], cwd: str | None) -> None:
        self._process = multiprocessing.get_context("fork").Process(target=_second, args=(env,))
        self._process.start()
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, signum: int) -> None:
        if self.poll() is None:
            assert self.pid is not None
            os.kill(self.pid, signum)


def _second(environment: dict[str, str]) -> None:
    os.environ.update(environment)
    rank_zero_only.rank = 1
    os._exit(_status(sys.argv[1:]))


def _status(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except BaseException:
        # As the interpreter does.
        traceback.print_exc()
        return 1


def _first(arguments: list[str], errors: Connection, folder: Path) -> None:
    # A process group of its own, as a shell gives to each command.
    os.setsid()
    os.dup2(errors.fileno(), 2)
    shorten_training()
    os.chdir(folder)
    sys.argv = ["train.py", *arguments]
    subprocess_script.subprocess = SimpleNamespace(Popen=_Forked)  # type: ignore[assignment]
    status = _status(arguments)
    atexit._run_exitfuncs()
    os._exit(status)


def train_in_two(arguments: list[str], folder: Path, timeout: float = 60.0) -> tuple[int, str]:
    """Train, and wait until both processes have ended.

    Args:
        arguments: The command line, without ``TWO``.
        folder: The working directory.
        timeout: Seconds after which the test fails because a process is still running.

    Returns:
        The exit status of the first process, negative after a signal, and stderr of both.
    """
    read, write = CONTEXT.Pipe(duplex=False)
    first = start(_first, [*arguments, *TWO], write, folder)
    write.close()
    deadline, said, piece = time.monotonic() + timeout, b"", b"-"
    # The pipe closes when the last process that has it has ended.
    while piece and wait([read], max(0, deadline - time.monotonic())):
        piece = os.read(read.fileno(), 1 << 16)
        said += piece
    if piece:
        assert first.pid is not None
        os.killpg(first.pid, signal.SIGKILL)
        raise AssertionError(f"a process is still running after {timeout} s: {said.decode()}")
    first.join()
    assert first.exitcode is not None
    return first.exitcode, said.decode()
