"""Two processes with DistributedDataParallel against threads, on the CPU.

    python -m benchmarks.ddp [--data_dir data] [--rounds 2] [--model.KEY VALUE]

The CNN is trained as `scripts/train.py --model cnn` trains it, by one process with one thread, one
process with two threads, and two processes with one thread each. The two processes share a batch of
the same size, so that the steps are the same; the last variant gives each process a whole batch,
which halves the number of synchronisations. Every run is a new process, and the variants alternate.
Only the training steps are timed, from the second epoch on. Further options are those of the
training, e.g. --model.widths.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from lightning import Callback, LightningModule, Trainer

from benchmarks.harness import print_machine, print_table, write_result
from benchmarks.study import build_study

MEASURED = "measured.json"


@dataclass(frozen=True)
class Variant:
    """A way to use two cores.

    Attributes:
        processes: Number of processes, each with its own part of a batch.
        threads: Threads per process.
        batch: Batch size per process.
    """

    processes: int
    threads: int
    batch: int

    @property
    def name(self) -> str:
        """Its name in tables."""
        return f"{self.processes} x {self.threads} threads, batches of {self.batch}"


BASE = Variant(1, 1, 128)
VARIANTS = (BASE, Variant(1, 2, 128), Variant(2, 1, 64), Variant(2, 1, 128))


class Rate(Callback):
    """Measures the images per second of the training steps of each epoch."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self._start = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock after the last step."""
        seconds = time.perf_counter() - self._start
        loader = trainer.train_dataloader
        images = int(trainer.num_training_batches) * loader.batch_size * trainer.world_size
        self.rates.append(min(images, len(loader.digits)) / seconds)


def train(folder: Path, options: Sequence[str]) -> None:
    """Train as one of the processes of a run; the first one writes the rates to the folder."""
    cli = build_study(folder, ["--model", "cnn", *options])
    rate = Rate()
    cli.trainer.callbacks.append(rate)
    cli.datamodule.setup()
    cli.trainer.fit(cli.model, cli.datamodule)
    if cli.trainer.is_global_zero:
        (folder / MEASURED).write_text(json.dumps(rate.rates), encoding="utf-8")


def run(variant: Variant, options: Sequence[str]) -> list[float]:
    """Train in new processes.

    Returns:
        Images per second of each epoch except the first.
    """
    settings = {
        "--data.batch_size": variant.batch,
        "--trainer.accelerator": "cpu",
        "--trainer.devices": variant.processes,
        "--trainer.strategy": "ddp" if variant.processes > 1 else "auto",
    }
    argv = [part for key, value in settings.items() for part in (key, str(value))]
    print(f"\n{variant.name}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.ddp", "--train", folder, *argv, *options],
            env={**os.environ, "OMP_NUM_THREADS": str(variant.threads)},
            check=True,
        )
        rates: list[float] = json.loads(Path(folder, MEASURED).read_text(encoding="utf-8"))
    return rates[1:]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each variant")
    parser.add_argument("--epochs", type=int, default=2, help="of each run, after the first")
    parser.add_argument("--images", type=int, default=12_800, help="of each epoch")
    parser.add_argument("--train", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    arguments, more = parser.parse_known_args(argv)
    if arguments.train is not None:
        train(arguments.train, more)
        return
    print_machine()
    options = ["--data.data_dir", arguments.data_dir]
    options += ["--trainer.max_epochs", str(arguments.epochs + 1)]
    rates: dict[Variant, list[float]] = {variant: [] for variant in VARIANTS}
    for _ in range(arguments.rounds):
        for variant in VARIANTS:
            steps = max(1, arguments.images // (variant.batch * variant.processes))
            limit = ["--trainer.limit_train_batches", str(steps)]
            rates[variant] += run(variant, [*options, *limit, *more])
    base = median(rates[BASE])
    results = [
        {
            **asdict(variant),
            "images_per_second": median(values),
            "times_one_thread": median(values) / base,
            "efficiency": median(values) / base / (variant.processes * variant.threads),
        }
        for variant, values in rates.items()
    ]
    print_table(
        ["processes x threads", "images/s", "x one thread", "efficiency"],
        [
            [
                variant.name,
                f"{row['images_per_second']:,.0f}",
                f"{row['times_one_thread']:.2f}",
                f"{row['efficiency']:.0%}",
            ]
            for variant, row in zip(rates, results, strict=True)
        ],
    )
    settings = {name: vars(arguments)[name] for name in ("rounds", "epochs", "images")}
    write_result("ddp", {**settings, "training_options": more, "variants": results})


if __name__ == "__main__":
    main()
