"""How long a training step takes with OpenMP threads that spin or sleep while they wait.

    python -m benchmarks.thread_waiting

GNU OpenMP lets a thread without work spin for a while, in case more work comes. On an idle machine
that saves a wake-up. Beside other busy processes the spinning threads keep each other from
running. Each variant is an environment, which OpenMP reads once, so each has a process of its own;
these take turns, on an idle machine and beside one busy process on each core.
The result is in ``benchmarks/results/thread_waiting.json``.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median

import torch

from benchmarks.harness import print_machine, print_table, write_result
from benchmarks.training_step import training_step
from mnist_lightning.models import CNN
from mnist_lightning.terminal.threads import SPIN_COUNT

BATCH_SIZE = 128
WARMUP_STEPS, STEPS = 5, 25
VARIANTS: dict[str, dict[str, str]] = {
    "as OpenMP does it": {},
    "spins briefly (the program's choice)": {"GOMP_SPINCOUNT": str(SPIN_COUNT)},
    "sleeps at once": {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
_READ_BY_OPENMP = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")


def _train_on_request() -> None:
    """For each line of standard input, print the median milliseconds of a training step."""
    torch.manual_seed(0)
    network = CNN().to(memory_format=torch.channels_last)
    step = training_step(network, BATCH_SIZE)
    for _ in sys.stdin:
        seconds = []
        for _ in range(WARMUP_STEPS + STEPS):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        print(1000 * median(seconds[WARMUP_STEPS:]), flush=True)


class _Worker:
    """A process that trains with the environment of one variant, one measurement at a time."""

    def __init__(self, variant: dict[str, str]) -> None:
        environment = {k: v for k, v in os.environ.items() if k not in _READ_BY_OPENMP}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.thread_waiting", "--worker"],
            env={**environment, **variant},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def measure(self) -> float:
        """Return the median milliseconds of a training step."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("measure\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def _spin(core: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    while True:
        pass


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Keep one process busy on each of the first ``count`` cores."""
    processes = [
        multiprocessing.Process(target=_spin, args=(n,), daemon=True) for n in range(count)
    ]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def main(argv: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds (default: 7)")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.worker:
        _train_on_request()
        return
    print_machine()
    cores = os.cpu_count() or 1
    steps: dict[str, dict[str, list[float]]] = {}
    with ExitStack() as stack:
        workers = {name: _Worker(variant) for name, variant in VARIANTS.items()}
        for worker in workers.values():
            stack.callback(worker.close)
            worker.measure()
        for load, count in (("idle", 0), ("busy", cores)):
            steps[load] = {name: [] for name in VARIANTS}
            with busy_processes(count):
                for number in range(1, arguments.rounds + 1):
                    for name, worker in workers.items():
                        steps[load][name].append(round(worker.measure(), 2))
                    latest = ", ".join(f"{ms[-1]:.1f}" for ms in steps[load].values())
                    print(f"{load}, round {number}/{arguments.rounds}: {latest} ms", flush=True)
    idle, busy = ({name: median(ms) for name, ms in steps[load].items()} for load in steps)
    first = next(iter(VARIANTS))
    print_table(
        [
            "Threads that wait",
            "Idle, ms a step",
            "Busy, ms a step",
            "Busy / idle",
            "Idle / default",
        ],
        [
            [
                name,
                *(f"{value:.1f}" for value in (idle[name], busy[name])),
                f"{busy[name] / idle[name]:.2f}",
                f"{idle[name] / idle[first]:.2f}",
            ]
            for name in VARIANTS
        ],
    )
    write_result(
        "thread_waiting",
        {"batch_size": BATCH_SIZE, "busy_processes": cores, "milliseconds_a_step": steps},
    )


if __name__ == "__main__":
    main()
