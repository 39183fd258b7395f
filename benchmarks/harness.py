"""Shared functions of the benchmarks: interleaved timing, a machine description, a JSON result."""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch
from matplotlib.figure import Figure

from mnist_lightning.evaluation.latency import interleaved_seconds
from mnist_lightning.files.storage import atomic_path
from mnist_lightning.records.environment import describe_environment
from mnist_lightning.reporting.style import DPI

RESULTS = Path(__file__).parent / "results"
#: Load average over one minute before the benchmark; None on Windows.
LOAD_BEFORE = os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def time_interleaved(
    variants: Mapping[str, Callable[[], object]], rounds: int, pause: float = 0.0
) -> dict[str, list[float]]:
    """Time variants alternately, so that a busy neighbour slows down all of them and not one.

    Args:
        variants: Functions by name. Each is called once to warm up.
        rounds: Timed calls per variant, at least 1.
        pause: Seconds before each call, in which the threads of the previous variant fall asleep:
            some runtimes let idle threads spin for a while.

    Returns:
        The seconds of each call, by name.
    """
    seconds = interleaved_seconds(list(variants.values()), minimum=rounds, pause=pause)
    return dict(zip(variants, seconds, strict=True))


def median_ratio(slow: list[float], fast: list[float]) -> float:
    """Return the median over the rounds of the speed-up of ``fast`` over ``slow``."""
    return median(a / b for a, b in zip(slow, fast, strict=True))


def print_machine() -> None:
    """Print the machine and the versions with which the following numbers are measured."""
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
    """Print a Markdown table, the first column left-aligned and the others right-aligned."""
    print()
    for cells in (header, ["---", *["---:"] * (len(header) - 1)], *rows):
        print(f"| {' | '.join(cells)} |")


def describe_machine() -> dict[str, Any]:
    """Return the machine, its load and the versions, for the record of a result."""
    return {
        **asdict(describe_environment()),
        "threads": torch.get_num_threads(),
        "isa": torch.backends.cpu.get_cpu_capability(),
        "load_before": LOAD_BEFORE,
    }


def write_result(name: str, result: Mapping[str, Any]) -> None:
    """Write ``benchmarks/results/<name>.json`` with the numbers and the machine."""
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
