"""What all benchmarks share: interleaved timing, a header about the machine, a JSON result."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch

from mnist_lightning.evaluation.environment import describe_environment
from mnist_lightning.storage import atomic_path

RESULTS = Path(__file__).parent / "results"


def time_interleaved(
    variants: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, list[float]]:
    """Time variants in turns, so that a busy neighbour slows all of them and not one.

    Args:
        variants: What to call, by name. Each is called once before, to warm up.
        rounds: Timed calls of each, at least 1.

    Returns:
        Seconds of each call, by name, in order.
    """
    for run in variants.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, run in variants.items():
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
    print(f"{here.processor}, {torch.get_num_threads()} threads{gpu}; {here.platform}")
    print(f"Python {here.python}, {versions}")


def write_result(name: str, result: Mapping[str, Any]) -> None:
    """Write ``benchmarks/results/<name>.json`` with the machine beside the numbers."""
    path = RESULTS / f"{name}.json"
    machine = {**asdict(describe_environment()), "threads": torch.get_num_threads()}
    with atomic_path(path) as temporary:
        text = json.dumps({"machine": machine, **result}, indent=2)
        temporary.write_text(text + "\n", encoding="utf-8")
    print(f"Written: benchmarks/results/{path.name}")
