"""Measure what a training of 600,000 images holds after each epoch, and what it leaves open.

``python -m tests.faults.memory_over_epochs`` writes results/memory_over_epochs.json. The images
are real digits, repeated to ten times the size of MNIST, and lie in memory as in any other run.

``--images 20000 --epochs 4 --steps 2 --leak 50000000`` is the control: it keeps 50 MB an epoch, and
the difference in results/memory_over_epochs_with_leak.json shows them.
"""

import argparse
import gc
import json
import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning import Callback

from mnist_lightning.cli import StudyCLI
from mnist_lightning.data.embedded import load_embedded
from mnist_lightning.evaluation import latency
from mnist_lightning.terminal.logs import configure_logging
from mnist_lightning.terminal.presets import expand
from mnist_lightning.train import train
from tests.faults.open_things import count, resident_bytes

RESULT = Path(__file__).parent / "results" / "memory_over_epochs.json"
BATCH_SIZE = 4096


class Watch(Callback):
    """Notes the memory and the open things at the end of each epoch, and the seconds it took.

    Args:
        leak: Bytes to keep in each epoch, to see that the measurement would notice.
    """

    def __init__(self, leak: int) -> None:
        self.leak, self._kept = leak, list[bytes]()
        self.epochs: list[dict[str, Any]] = []
        self._began = 0.0

    def on_train_epoch_start(self, *args: Any) -> None:
        """Start the clock."""
        self._began = time.monotonic()

    def on_train_epoch_end(self, *args: Any) -> None:
        """Leak if asked to, and measure."""
        self._kept.append(os.urandom(self.leak))
        gc.collect()
        seconds = round(time.monotonic() - self._began, 1)
        self.epochs.append({"resident_bytes": resident_bytes(), **count(), "seconds": seconds})
        print(self.epochs[-1], flush=True)


def make_data(folder: Path, images: int) -> Path:
    """Write ``mnist.npz`` with as many training images as asked for; return its folder."""
    folder.mkdir()
    small = load_embedded()
    train, test = small.train, small.test
    places = np.arange(images) % len(train)
    np.savez(
        folder / "mnist.npz",
        x_train=train.images[:, 0].numpy()[places],
        y_train=train.labels.numpy()[places].astype(np.uint8),
        x_test=test.images[:, 0].numpy(),
        y_test=test.labels.numpy().astype(np.uint8),
    )
    return folder


def train_watched(
    data_dir: Path, output_dir: Path, epochs: int, steps: int, leak: int = 0
) -> Watch:
    """Train in this process as ``scripts/train.py`` does, with a watch."""
    words = [
        *("--model", "cnn", "--model.widths", "[4, 4]", "--data.data_dir", str(data_dir)),
        *("--data.batch_size", str(BATCH_SIZE), "--trainer.limit_train_batches", str(steps)),
        *("--trainer.max_epochs", str(epochs), "--trainer.accelerator", "cpu"),
        *("--trainer.precision", "32-true", "--export_formats", "[]"),
        *("--output_dir", str(output_dir)),
    ]
    cli = StudyCLI(expand(words), command=words)
    watch = Watch(leak)
    cli.trainer.callbacks.append(watch)  # type: ignore[attr-defined]
    train(cli)
    return watch


def run(argv: list[str] | None = None) -> int:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=600_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--leak", type=int, default=0, help="bytes to leak in each epoch")
    options = parser.parse_args(argv)
    configure_logging()
    torch.set_num_threads(1)
    latency.BUDGET_SECONDS = 0.05
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # What is loaded once a process stays: fonts, kernels, the interpreter's own caches.
        small = make_data(folder / "small", 5000)
        train_watched(small, folder / "first", epochs=1, steps=1)
        gc.collect()
        before = count()
        large = make_data(folder / "large", options.images)
        watch = train_watched(large, folder / "second", options.epochs, options.steps, options.leak)
    gc.collect()
    _write(options, watch.epochs, before, count())
    return 0


def _write(
    options: argparse.Namespace,
    epochs: list[dict[str, Any]],
    before: dict[str, int],
    after: dict[str, int],
) -> None:
    command = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False)
    memory = [epoch["resident_bytes"] for epoch in epochs]
    result = {
        "command": f"python -m tests.faults.memory_over_epochs --images {options.images} "
        f"--epochs {options.epochs} --steps {options.steps} --leak {options.leak}",
        "commit": commit.stdout.strip(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, 1 thread",
        "versions": {"python": platform.python_version(), "torch": torch.__version__}
        | {"lightning": lightning.__version__},
        "images": options.images,
        "images_trained_on_per_epoch": options.steps * BATCH_SIZE,
        "resident_bytes_last_minus_first_epoch": memory[-1] - memory[0],
        "epochs": epochs,
        "open_before": before,
        "open_after": after,
    }
    RESULT.parent.mkdir(exist_ok=True)
    path = RESULT.with_stem(f"{RESULT.stem}_with_leak") if options.leak else RESULT
    path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    raise SystemExit(run())
