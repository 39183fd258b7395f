"""Memory, open files and threads of a training process after each epoch on 600,000 images.

    python -m benchmarks.memory_over_epochs [--images 600000] [--epochs 5] [--steps 10]

The training set is real digits, repeated to ten times the size of MNIST. Linux only.

`--images 20000 --epochs 4 --steps 2 --leak 50000000` is the control: it leaks 50 MB an epoch, which
must show up in `results/memory_over_epochs_with_leak.json`.
"""

import argparse
import gc
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback

from benchmarks.harness import print_machine, write_result
from benchmarks.process_resources import open_resources, resident_bytes
from mnist_lightning.cli import StudyCLI
from mnist_lightning.data.embedded import load_embedded
from mnist_lightning.evaluation import latency
from mnist_lightning.experiment import train
from mnist_lightning.terminal.logs import configure_logging
from mnist_lightning.terminal.presets import expand

BATCH_SIZE = 4096


class Watch(Callback):
    """Records memory, open resources and seconds at the end of each epoch.

    Args:
        leak: Bytes to keep in each epoch, to check that the measurement detects a leak.
    """

    def __init__(self, leak: int) -> None:
        self.leak, self._kept = leak, list[bytes]()
        self.epochs: list[dict[str, Any]] = []
        self._start = 0.0

    def on_train_epoch_start(self, *args: Any) -> None:
        """Start the clock."""
        self._start = time.monotonic()

    def on_train_epoch_end(self, *args: Any) -> None:
        """Leak if asked to, and measure."""
        self._kept.append(os.urandom(self.leak))
        gc.collect()
        seconds = round(time.monotonic() - self._start, 1)
        measured = {"resident_bytes": resident_bytes(), **open_resources(), "seconds": seconds}
        self.epochs.append(measured)
        print(measured, flush=True)


def make_data(folder: Path, images: int) -> Path:
    """Write ``mnist.npz`` with the given number of training images; return its folder."""
    folder.mkdir()
    small = load_embedded()
    rows = np.arange(images) % len(small.train)
    np.savez(
        folder / "mnist.npz",
        x_train=small.train.images[:, 0].numpy()[rows],
        y_train=small.train.labels.numpy()[rows].astype(np.uint8),
        x_test=small.test.images[:, 0].numpy(),
        y_test=small.test.labels.numpy().astype(np.uint8),
    )
    return folder


def train_watched(
    data_dir: Path, output_dir: Path, epochs: int, steps: int, leak: int = 0
) -> Watch:
    """Train in this process as ``scripts/train.py`` does, with a watch."""
    argv = [
        *("--model", "cnn", "--model.widths", "[4, 4]", "--data.data_dir", str(data_dir)),
        *("--data.batch_size", str(BATCH_SIZE), "--trainer.limit_train_batches", str(steps)),
        *("--trainer.max_epochs", str(epochs), "--trainer.accelerator", "cpu"),
        *("--trainer.precision", "32-true", "--export_formats", "[]"),
        *("--output_dir", str(output_dir)),
    ]
    cli = StudyCLI(expand(argv), command=argv)
    watch = Watch(leak)
    cli.trainer.callbacks.append(watch)  # type: ignore[attr-defined]
    train(cli)
    return watch


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and record."""
    text = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=text, allow_abbrev=False)
    parser.add_argument("--images", type=int, default=600_000, help="training images")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="of each epoch")
    parser.add_argument("--leak", type=int, default=0, help="bytes to leak in each epoch")
    options = parser.parse_args(argv)
    configure_logging()
    torch.set_num_threads(1)
    latency.BUDGET_SECONDS = 0.05
    print_machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Fonts, kernels and the interpreter's caches are loaded once and stay.
        small = make_data(folder / "small", 5000)
        train_watched(small, folder / "first", epochs=1, steps=1)
        gc.collect()
        before = open_resources()
        large = make_data(folder / "large", options.images)
        watch = train_watched(large, folder / "second", options.epochs, options.steps, options.leak)
    gc.collect()
    memory = [epoch["resident_bytes"] for epoch in watch.epochs]
    result = {
        **vars(options),
        "images_trained_on_per_epoch": options.steps * BATCH_SIZE,
        "resident_bytes_last_minus_first_epoch": memory[-1] - memory[0],
        "epochs": watch.epochs,
        "open_before": before,
        "open_after": open_resources(),
    }
    write_result(f"memory_over_epochs{'_with_leak' if options.leak else ''}", result)


if __name__ == "__main__":
    main()
