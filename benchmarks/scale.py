"""Time and memory of an epoch as the training set grows: MNIST, repeated.

    python -m benchmarks.scale [--data_dir data] [--sizes 60000 200000 600000]

For each size, a new process trains one epoch through the complete Trainer, from IDX files in a
temporary folder. The network is a linear layer on the pixels, so that everything else is measured,
including the augmentation of the CNN. Reading, checking and splitting the files is timed apart from
the epoch. Memory is the peak resident memory of the process, including Python and PyTorch. A line
through the sizes gives the cost per image.

`--sizes 60000 600000 6000000` takes some minutes, 5 GB in the temporary folder and as much memory.
"""

import argparse
import json
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from lightning import Callback, LightningModule, Trainer

from benchmarks.harness import print_machine, print_table, write_result
from benchmarks.study import build_toy_study
from mnist_lightning.data.digits import Digits
from mnist_lightning.data.sources import load_dataset
from mnist_lightning.data.standard import (
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    StandardFile,
)
from mnist_lightning.evaluation.peak_memory import own_peak_bytes

DISTORTIONS = ("--data.augmentation.elastic", "0.6")
TITLES = {
    "setup_seconds": "reading and splitting",
    "epoch_seconds": "epoch",
    "peak_bytes": "peak memory",
}
MEASURED = "measured.json"
CHUNK = 10_000


@dataclass(frozen=True)
class Cost:
    """The cost of one size.

    Attributes:
        images: Images in the training file, including those for validation.
        setup_seconds: Time to read, check and split the files.
        epoch_seconds: Time of the epoch with its validation and checkpoints.
        peak_bytes: Peak resident memory of the process.
    """

    images: int
    setup_seconds: float
    epoch_seconds: float
    peak_bytes: int


class Clock(Callback):
    """Times the only epoch of a training."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock."""
        self.seconds = time.perf_counter() - self._start


def write_repeated(digits: Digits, folder: Path, files: tuple[StandardFile, ...], n: int) -> None:
    """Write digits repeatedly to IDX files.

    Args:
        digits: The digits to repeat.
        folder: Folder of the files.
        files: The files of the images and of the labels.
        n: Number of images to write.
    """
    parts = (digits.images.squeeze(1).numpy(), digits.labels.numpy().astype(np.uint8))
    for file, values in zip(files, parts, strict=True):
        with (folder / file.name).open("wb") as out:
            out.write(
                struct.pack(f">{1 + values.ndim}I", 0x0800 | values.ndim, n, *values.shape[1:])
            )
            for start in range(0, n, CHUNK):
                rows = np.arange(start, min(start + CHUNK, n)) % len(values)
                out.write(values[rows].tobytes())


def train(folder: Path) -> None:
    """Train on the files of a folder for one epoch, and write the cost there."""
    options = ["--data.data_dir", str(folder), "--trainer.max_epochs", "1", *DISTORTIONS]
    cli = build_toy_study(folder, ["--trainer.accelerator", "cpu", *options])
    start = time.perf_counter()
    cli.datamodule.setup()
    setup_seconds = time.perf_counter() - start
    clock = Clock()
    cli.trainer.callbacks.append(clock)
    cli.trainer.fit(cli.model, cli.datamodule)
    images = len(cli.datamodule.train) + len(cli.datamodule.val)
    cost = Cost(images, setup_seconds, clock.seconds, own_peak_bytes())
    (folder / MEASURED).write_text(json.dumps(asdict(cost)), encoding="utf-8")


def measure(train_set: Digits, test_set: Digits, size: int) -> Cost:
    """Measure one size in a new process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_repeated(train_set, folder, (TRAIN_IMAGES, TRAIN_LABELS), size)
        write_repeated(test_set, folder, (TEST_IMAGES, TEST_LABELS), len(test_set))
        subprocess.run([sys.executable, "-m", "benchmarks.scale", "--train", name], check=True)
        return Cost(**json.loads((folder / MEASURED).read_text(encoding="utf-8")))


def fit_line(costs: Sequence[Cost], what: str) -> dict[str, float]:
    """Fit a line to one attribute of the costs, by least squares of the relative deviations.

    Returns:
        ``per_image``, ``constant``, and ``largest_deviation`` of a size from the line as a share of
        its value.
    """
    images = np.array([cost.images for cost in costs], dtype=float)
    values = np.array([getattr(cost, what) for cost in costs], dtype=float)
    # Relative, because otherwise the largest size alone would determine the line.
    per_image, constant = np.polyfit(images, values, 1, w=1 / values)
    deviation = np.abs(per_image * images + constant - values) / values
    return {
        "per_image": float(per_image),
        "constant": float(constant),
        "largest_deviation": float(deviation.max()),
    }


def print_costs(costs: Sequence[Cost], lines: dict[str, dict[str, float]]) -> None:
    """Print the cost of each size and the cost per image."""
    header = ["images", "reading and splitting, s", "epoch, s", "images/s", "peak memory, MB"]
    rows = [
        [
            f"{cost.images:,}",
            f"{cost.setup_seconds:.2f}",
            f"{cost.epoch_seconds:.2f}",
            f"{cost.images / cost.epoch_seconds:,.0f}",
            f"{cost.peak_bytes / 1e6:,.0f}",
        ]
        for cost in costs
    ]
    print_table(header, rows)
    fitted = []
    for what, title in TITLES.items():
        each, constant = lines[what]["per_image"], lines[what]["constant"]
        texts = (
            (f"{each:.0f} bytes", f"{constant / 1e6:.0f} MB")
            if what == "peak_bytes"
            else (f"{1e6 * each:.2f} µs", f"{constant:.2f} s")
        )
        fitted.append([title, *texts, f"{lines[what]['largest_deviation']:.1%}"])
    print_table(["line through the sizes", "an image", "constant", "largest deviation"], fitted)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--data_dir", type=Path, default=Path("data"))
    parser.add_argument("--sizes", type=int, nargs="+", default=[60_000, 200_000, 600_000])
    parser.add_argument("--train", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.train is not None:
        train(arguments.train)
        return
    if len(set(arguments.sizes)) < 2:
        parser.error("--sizes needs two different sizes for a line")
    print_machine()
    dataset = load_dataset(arguments.data_dir, download=False)
    costs = [measure(dataset.train, dataset.test, size) for size in arguments.sizes]
    lines = {what: fit_line(costs, what) for what in TITLES}
    print_costs(costs, lines)
    write_result("scale", {"costs": [asdict(cost) for cost in costs], "lines": lines})


if __name__ == "__main__":
    main()
