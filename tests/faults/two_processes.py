"""A training in two processes that are forked from one that has imported everything.

Importing PyTorch and Lightning twice takes longer than the trainings of the tests. All else is as
with ``scripts/train.py --trainer.devices 2 --trainer.strategy ddp``: the first process starts the
second, and both end as they do there.
"""

import atexit
import multiprocessing
import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace

from lightning.pytorch.strategies.launchers import subprocess_script
from lightning.pytorch.utilities import rank_zero_only

from benchmarks.kill_sweep import CONTEXT, be_quick_and_quiet, start
from mnist_lightning.train import main
from mnist_lightning.training import peers

#: 350 images are three steps an epoch.
TWO = ["--data.batch_size", "64", "--trainer.devices", "2", "--trainer.strategy", "ddp"]


class _Forked:
    """What Lightning's launcher and ours do with a ``subprocess.Popen``."""

    def __init__(self, command: list[str], env: dict[str, str], cwd: str | None) -> None:
        self._process = multiprocessing.get_context("fork").Process(target=_second, args=(env,))
        self._process.start()

    def poll(self) -> int | None:
        return self._process.exitcode

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()


def _second(environment: dict[str, str]) -> None:
    os.environ.update(environment)
    rank_zero_only.rank = 1
    os._exit(main(sys.argv[1:]))


def _first(arguments: list[str], errors: Connection, folder: Path, grace: float) -> None:
    # A group of their own, as a shell gives to each command.
    os.setsid()
    os.dup2(errors.fileno(), 2)
    be_quick_and_quiet()
    os.chdir(folder)
    sys.argv = ["train.py", *arguments]
    peers.GRACE = grace
    subprocess_script.subprocess = SimpleNamespace(Popen=_Forked)  # type: ignore[assignment]
    status = main(arguments)
    # It waits for the second process.
    atexit._run_exitfuncs()
    os._exit(status)


def train_in_two(arguments: list[str], folder: Path, grace: float = peers.GRACE) -> tuple[int, str]:
    """Train, and wait until both processes are gone.

    Args:
        arguments: The command line, besides ``TWO``.
        folder: The working directory.
        grace: Seconds that a process waits at its end for the other one before it kills it.

    Returns:
        The exit status of the first process, negative after a signal, and what both said on stderr.
    """
    read, write = CONTEXT.Pipe(duplex=False)
    first = start(_first, [*arguments, *TWO], write, folder, grace)
    write.close()
    said = b""
    # It ends when the last process that holds the other end is gone.
    while piece := os.read(read.fileno(), 1 << 16):
        said += piece
    first.join()
    assert first.exitcode is not None
    return first.exitcode, said.decode()
