"""What all benchmarks share: interleaved timing, a header about the machine, a JSON result."""

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch
from matplotlib.figure import Figure

from mnist_lightning.files.storage import atomic_path
from mnist_lightning.records.environment import describe_environment
from mnist_lightning.reporting.style import DPI

RESULTS = Path(__file__).parent / "results"
#: Waiting or running processes, by the minute, before the benchmark itself was one; not on Windows.
LOAD_BEFORE = os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def time_interleaved(
    variants: Mapping[str, Callable[[], object]], rounds: int, pause: float = 0.0
) -> dict[str, list[float]]:
    """Time variants in turns, so that a busy neighbour slows all of them and not one.

    Args:
        variants: What to call, by name. Each is called once before, to warm up.
        rounds: Timed calls of each, at least 1.
        pause: Seconds before each call, in which the threads of the variant before fall asleep:
            some runtimes let theirs spin for a while, in case there is more to do.

    Returns:
        Seconds of each call, by name, in order.
    """
    for run in variants.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, run in variants.items():
            time.sleep(pause)
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def median_ratio(slow: list[float], fast: list[float]) -> float:
    """Give the median over the rounds of how many times faster ``fast`` was than ``slow``."""
    return median(a / b for a, b in zip(slow, fast, strict=True))


def print_machine() -> None:
    """Print on what machine and with what versions the following numbers are measured."""
    here = describe_environment()
    gpu = f", {here.gpu}" if here.gpu else ""
    versions = ", ".join(f"{name} {version}" for name, version in here.versions.items())
    load = "" if LOAD_BEFORE is None else f", load average {LOAD_BEFORE:.2f}"
    print(
        f"{here.processor}, {here.logical_cores} cores, {torch.get_num_threads()} threads, "
        f"{torch.backends.cpu.get_cpu_capability()}{gpu}; {here.platform}{load}"
    )
    print(f"Python {here.python}, {versions}")


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table in Markdown, the first column to the left and the others to the right."""
    print()
    for cells in (header, ["---", *["---:"] * (len(header) - 1)], *rows):
        print(f"| {' | '.join(cells)} |")


def describe_machine() -> dict[str, Any]:
    """Describe the machine, the versions and how busy it was, for the record of a result."""
    return {
        **asdict(describe_environment()),
        "threads": torch.get_num_threads(),
        "isa": torch.backends.cpu.get_cpu_capability(),
        "load_before": LOAD_BEFORE,
    }


def write_result(name: str, result: Mapping[str, Any]) -> None:
    """Write ``benchmarks/results/<name>.json`` with the machine beside the numbers."""
    path = RESULTS / f"{name}.json"
    with atomic_path(path) as temporary:
        text = json.dumps({"machine": describe_machine(), **result}, indent=2)
        temporary.write_text(text + "\n", encoding="utf-8")
    print(f"Written: benchmarks/results/{path.name}")


def write_figure(name: str, figure: Figure) -> None:
    """Write ``benchmarks/results/<name>.png``."""
    path = RESULTS / f"{name}.png"
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png")
    print(f"Written: benchmarks/results/{path.name}")
