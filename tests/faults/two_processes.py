"""A training in two processes, forked from one process that has imported everything.

Importing PyTorch and Lightning twice takes longer than the trainings of the tests. All else is as
with ``scripts/train.py --trainer.devices 2 --trainer.strategy ddp``, where Lightning's launcher
starts the second process, or with one ``torchrun`` on each of two nodes, and each process ends as
it does there.
"""

import atexit
import multiprocessing
import os
import signal
import socket
import sys
import time
import traceback
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace

from lightning.pytorch.strategies.launchers import subprocess_script
from lightning.pytorch.utilities import rank_zero_only
from torch import distributed

from benchmarks.kill_sweep import CONTEXT, shorten_training, start
from mnist_lightning.commands.train import main

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
        status = main(arguments)
        if status != 2:
            assert not distributed.is_initialized(), "the process group outlives the training"
        return status
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
    return _end(first, read, time.monotonic() + timeout)


def _end(process: BaseProcess, read: Connection, deadline: float) -> tuple[int, str]:
    said, piece = b"", b"-"
    # The pipe closes when the last process that has it has ended.
    while piece and wait([read], max(0, deadline - time.monotonic())):
        piece = os.read(read.fileno(), 1 << 16)
        said += piece
    if piece:
        assert process.pid is not None
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError(f"a process is still running: {said.decode()}")
    process.join()
    assert process.exitcode is not None
    return process.exitcode, said.decode()


def _node(arguments: list[str], output: Connection, folder: Path, rank: int, port: int) -> None:
    # Each of the other processes would wait for this import.
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    os.setsid()
    shorten_training()
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    os.chdir(folder)
    # What torchrun builds of --nnodes 2 --nproc_per_node 1 --node_rank RANK and the address.
    config = LaunchConfig(
        min_nodes=2,
        max_nodes=2,
        nproc_per_node=1,
        run_id="two_nodes",
        rdzv_backend="static",
        rdzv_endpoint=f"127.0.0.1:{port}",
        rdzv_configs={"rank": rank, "timeout": 60},
        max_restarts=0,
        start_method="fork",
    )
    os._exit(max(elastic_launch(config, _status)(arguments).values()))


def train_as_two_nodes(
    arguments: list[str], folder: Path, timeout: float = 60.0
) -> list[tuple[int, str]]:
    """Train on two nodes with a process each, started as ``torchrun`` does.

    Args:
        arguments: The command line, without ``TWO``.
        folder: The working directory.
        timeout: Seconds after which the test fails because a process is still running.

    Returns:
        The exit status of each node, and what was printed on it, stdout and stderr.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    one_each = [*TWO, "--trainer.devices", "1", "--trainer.num_nodes", "2"]
    nodes = []
    for rank in (0, 1):
        read, write = CONTEXT.Pipe(duplex=False)
        nodes.append((start(_node, [*arguments, *one_each], write, folder, rank, port), read))
        write.close()
    deadline = time.monotonic() + timeout
    return [_end(process, read, deadline) for process, read in nodes]
