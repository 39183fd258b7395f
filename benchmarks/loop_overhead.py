"""Overhead of the Trainer: epochs through the Trainer against the same epochs in a bare loop.

    python -m benchmarks.loop_overhead [--data_dir data] [--epochs 5] [--model.KEY VALUE]

Ours is the training of `scripts/train.py --model cnn` as shipped: Lightning's Trainer with
progress, metrics, logging, weight averaging, the check of every loss, two checkpoints an epoch. The
bare loop has the same network, batches, augmentation, optimiser, schedule, precision, averaging and
validation, but no training metrics, no files and no way to resume. A bare epoch runs before every
epoch of the Trainer, in the same process; the first of each is not counted. Further options are
those of the training, e.g. --model.widths.

The same is measured with a linear layer on the pixels without augmentation, whose steps take hardly
any time, so that nearly all of the time that the Trainer adds is its overhead.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from lightning import Callback, LightningModule, Trainer

from benchmarks.bare_loop import BareLoop, Epoch
from benchmarks.harness import median_ratio, print_machine, print_table, write_result
from benchmarks.study import build_study, build_toy_study
from mnist_lightning.cli import StudyCLI


class Interleaved(Callback):
    """Runs a bare epoch before each epoch of the Trainer, and times both.

    Args:
        loop: The bare loop.

    Attributes:
        bare: The bare epochs.
        ours: The Trainer's epochs, each up to the start of the next one.
    """

    def __init__(self, loop: BareLoop) -> None:
        self.loop = loop
        self.bare: list[Epoch] = []
        self.ours: list[Epoch] = []
        self._times: list[float] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock of the previous epoch, run a bare epoch and start the clock."""
        if self._times:
            self._finish()
        self.bare.append(self.loop.epoch(trainer.current_epoch))
        self._times = [time.perf_counter()]

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the time."""
        self._times.append(time.perf_counter())

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the time."""
        self._times.append(time.perf_counter())

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock of the last epoch."""
        self._finish()

    def _finish(self) -> None:
        self._times.append(time.perf_counter())
        self.ours.append(Epoch(*(after - before for before, after in pairwise(self._times))))


@dataclass(frozen=True)
class Measured:
    """The measurements with one network.

    Attributes:
        name: Name of the network.
        images: Number of training images.
        steps: Steps of an epoch.
        bare: The bare epochs, without the first.
        ours: The Trainer's epochs, without the first.
    """

    name: str
    images: int
    steps: int
    bare: list[Epoch]
    ours: list[Epoch]

    @property
    def totals(self) -> tuple[list[float], list[float]]:
        """Seconds of the Trainer's epochs and of the bare ones."""
        return [epoch.total for epoch in self.ours], [epoch.total for epoch in self.bare]

    @property
    def overhead_ms(self) -> float:
        """Milliseconds that the Trainer adds to a step (median over the epochs)."""
        more = (o.steps - b.steps for o, b in zip(self.ours, self.bare, strict=True))
        return 1000 * median(more) / self.steps


def measure(
    name: str, build: Callable[[Path, Sequence[str]], StudyCLI], options: Sequence[str]
) -> Measured:
    """Train with both loops alternately.

    Args:
        name: Name of the network.
        build: Builds the training for a folder and options.
        options: Options of the training, including the number of epochs.
    """
    print(f"\n{name}")
    with tempfile.TemporaryDirectory() as folder:
        cli = build(Path(folder), options)
        cli.datamodule.setup()  # before fit() would, so that nothing is downloaded
        both = Interleaved(BareLoop(cli))
        cli.trainer.callbacks.append(both)
        cli.trainer.fit(cli.model, cli.datamodule)
        images, steps = len(cli.datamodule.train), len(both.loop.loader)
    return Measured(name, images, steps, both.bare[1:], both.ours[1:])


def print_overhead(measured: Sequence[Measured]) -> None:
    """Print the ratios of the epochs and the parts of their time."""
    rows = []
    for one in measured:
        ours, bare = one.totals
        ratios = sorted(a / b for a, b in zip(ours, bare, strict=True))
        rows.append(
            [
                one.name,
                f"{one.images:,}",
                f"{one.steps:,}",
                f"{median(bare):.2f}",
                f"{median(ours):.2f}",
                f"{median_ratio(ours, bare):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})",
                f"{one.overhead_ms:.2f}",
            ]
        )
    print_table(
        [
            "network",
            "images",
            "steps",
            "bare epoch, s",
            "Trainer's epoch, s",
            "Trainer / bare",
            "added to a step, ms",
        ],
        rows,
    )
    parts = []
    for one in measured:
        for loop, epochs in (("bare loop", one.bare), ("Trainer", one.ours)):
            seconds = [median(getattr(epoch, part) for epoch in epochs) for part in vars(epochs[0])]
            parts.append([f"{one.name}, {loop}", *(f"{value:.3f}" for value in seconds)])
    print_table(["s of an epoch", "steps", "validation", "metrics, logging, checkpoints"], parts)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--epochs", type=int, default=5, help="of each loop, after the first")
    arguments, more = parser.parse_known_args(argv)
    epochs = str(arguments.epochs + 1)
    options = ["--data.data_dir", arguments.data_dir, "--trainer.max_epochs", epochs]
    print_machine()
    measured = [
        measure("custom CNN", build_study, ["--model", "cnn", *options, *more]),
        measure("linear layer", build_toy_study, options),
    ]
    print_overhead(measured)
    write_result(
        "loop_overhead",
        {
            "epochs": arguments.epochs,
            "training_options": more,
            "networks": {
                one.name: {
                    **asdict(one),
                    "trainer_by_bare": median_ratio(*one.totals),
                    "added_ms_per_step": one.overhead_ms,
                }
                for one in measured
            },
        },
    )


if __name__ == "__main__":
    main()
