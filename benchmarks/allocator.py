"""Training and inference steps with an allocator that keeps freed memory, against glibc's default.

    python -m benchmarks.allocator [--rounds 3]

The allocator's settings cannot be undone, so every measurement is a process of its own, and the two
variants alternate. The networks have random weights, which do not affect the time. CPU only.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch
from torch import nn

from benchmarks.harness import median_ratio, print_machine, print_table, write_result
from benchmarks.training_step import training_step
from mnist_lightning.models.cnn import CNN
from mnist_lightning.models.feature_extraction import FeatureExtractor, default_batch_size
from mnist_lightning.models.resnet50 import ResNet50
from mnist_lightning.training.allocator import keep_freed_memory
from mnist_lightning.training.precision import choose_precision

KEPT, DEFAULT = "kept", "default"


def _training(network: nn.Module, batch_size: int) -> Callable[[], object]:
    return training_step(network.to(memory_format=torch.channels_last), batch_size)


def _extraction(size: int) -> Callable[[], object]:
    batch = default_batch_size(size, torch.device("cpu"))
    extractor = FeatureExtractor(ResNet50(size).eval(), choose_precision("cpu")[0], batch)
    images = torch.randint(0, 256, (batch, 1, 28, 28), dtype=torch.uint8)
    return lambda: list(extractor(images))


#: By name: the function that builds the step, and the number of timed steps, without a warm-up.
CASES: dict[str, tuple[Callable[[], Callable[[], object]], int]] = {
    "CNN, the first 100 steps of 128 images": (lambda: _training(CNN(), 128), 100),
    "ResNet50, features of 48 px": (lambda: _extraction(48), 8),
    "ResNet50, features of 224 px": (lambda: _extraction(224), 8),
    "ResNet50, fine-tuning steps of 64 images, 64 px": (lambda: _training(ResNet50(64), 64), 8),
}


def measure(case: str, allocator: str) -> dict[str, float]:
    """Time the steps of a case; one measurement per process.

    Returns:
        Milliseconds and newly mapped pages per step, and peak memory in MiB.
    """
    if allocator == KEPT:
        keep_freed_memory()
    torch.manual_seed(0)
    build, steps = CASES[case]
    step = build()
    pages, start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.perf_counter()
    for _ in range(steps):
        step()
    seconds, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    return {
        "ms": 1000 * seconds / steps,
        "pages": (used.ru_minflt - pages) / steps,
        "peak_mib": used.ru_maxrss / 1024,
    }


def measure_apart(case: str, allocator: str) -> dict[str, float]:
    """Measure in a new process."""
    command = [sys.executable, "-m", "benchmarks.allocator", "--measure", case, allocator]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and record."""
    text = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=text, allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", nargs=2, metavar=("CASE", "ALLOCATOR"), help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.measure:
        print(json.dumps(measure(*arguments.measure)))
        return
    print_machine()
    results: dict[str, Any] = {}
    rows = []
    for case in CASES:
        runs: dict[str, list[dict[str, float]]] = {DEFAULT: [], KEPT: []}
        for _ in range(arguments.rounds):
            for allocator, measured in runs.items():
                measured.append(measure_apart(case, allocator))
        found = {
            key: {name: [run[key] for run in measured] for name, measured in runs.items()}
            for key in ("ms", "pages", "peak_mib")
        }
        ratio = median_ratio(found["ms"][DEFAULT], found["ms"][KEPT])
        results[case] = {"times_as_fast": ratio, **found}
        cells = [f"{median(found[key][name]):,.1f}" for key in found for name in (DEFAULT, KEPT)]
        rows.append([case, *cells, f"{ratio:.2f}"])
    header = ["ms", "ms, kept", "pages", "pages, kept", "peak MiB", "peak MiB, kept"]
    print_table(["a step of", *header, "times as fast"], rows)
    write_result("allocator", {"rounds": arguments.rounds, "cases": results})


if __name__ == "__main__":
    main()
