"""Our training, `scripts/train.py --model NAME`, from the configuration to the last epoch.

    python -m benchmarks.peers.ours --output FILE --model cnn_fast [--seed 0] [options of train.py]

The clock includes everything that a training does: progress, metrics, logging, checkpoints, and the
validation between two epochs. The accuracy after an epoch is that of the averaged weights, which
are validated and saved.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer, __version__

from benchmarks.peers.timed_training import Clock, TimedTraining, training_parser
from benchmarks.peers.torch_training import (
    Weights,
    choose_device,
    clock_of,
    count_parameters,
    test_accuracies,
    warm_up,
    weights_of,
)
from benchmarks.study import build_study
from mnist_lightning.data.datamodule import MNISTDataModule


class EpochLaps(Callback):
    """Records the time and the weights of each epoch; it must be the last callback.

    Args:
        clock: The clock.
        data: The data module of the training.

    Attributes:
        epochs: The weights that are validated after each epoch.
    """

    def __init__(self, clock: Clock, data: MNISTDataModule) -> None:
        self.clock = clock
        self.data = data
        self.epochs: list[Weights] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Warm up with both batch sizes that the loader uses."""
        n, steps = len(self.data.train), int(trainer.num_training_batches)
        for size in {n // steps, -(-n // steps)}:
            batch = self.data.train[:size]
            images, labels = batch.images.to(pl_module.device), batch.labels.to(pl_module.device)
            with trainer.precision_plugin.forward_context():
                warm_up(pl_module.network, images, labels)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock before the first batch."""
        if trainer.current_epoch == 0:
            self.clock.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Read the clock after the last step."""
        if trainer.is_last_batch:
            self.clock.lap()

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Copy the averaged weights, which are in the network during validation."""
        with self.clock.paused():
            self.epochs.append(weights_of(pl_module.network))


def train(clock: Clock, options: Sequence[str]) -> TimedTraining:
    """Train as `scripts/train.py` does and test the weights of all epochs afterwards.

    Args:
        clock: The clock to read after each epoch.
        options: The arguments of `scripts/train.py`, with ``--model NAME``.
    """
    with tempfile.TemporaryDirectory() as folder:
        cli = build_study(Path(folder), options)
        data = cli.datamodule
        data.prepare_data()
        data.setup()
        laps = EpochLaps(clock, data)
        cli.trainer.callbacks.append(laps)
        cli.trainer.fit(cli.model, data)
    network, test = cli.model.network.cpu(), data.test
    return TimedTraining(
        parameters=count_parameters(network),
        training_images=len(data.train),
        precision=str(cli.trainer.precision),
        laps=clock.laps,
        test_accuracy=test_accuracies(network, laps.epochs, test.images, test.labels),
        selected_epoch=len(laps.epochs),
        versions={"torch": torch.__version__, "lightning": __version__},
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Train and write the result."""
    # TensorBoard imports TensorFlow if it is installed, which here is only for the other recipes. A
    # module of this name prevents that.
    sys.modules["tensorboard.compat.notf"] = ModuleType("tensorboard.compat.notf")
    arguments, options = training_parser(__doc__).parse_known_args(argv)
    clock = clock_of(choose_device(), arguments.started)
    seed = ["--seed_everything", str(arguments.seed)]
    data = ["--data.data_dir", str(arguments.data_dir)]
    train(clock, [*options, *seed, *data]).write(arguments.output)


if __name__ == "__main__":
    main()
