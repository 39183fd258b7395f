"""A run, in the terms of its record: what was trained, on what and how."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mnist_lightning.evaluation.record import describe_file
from mnist_lightning.evaluation.schema import (
    DatasetDescription,
    ModelDescription,
    Parameters,
    Training,
)

if TYPE_CHECKING:
    from mnist_lightning.cli import StudyCLI
    from mnist_lightning.models import DigitClassifier


def describe_model(cli: StudyCLI, path: Path) -> ModelDescription:
    """Describe the network and its exported file ``path``."""
    network = cli.model.network
    return ModelDescription(
        name=cli.name,
        preset=cli.preset,
        title=cli.model.title,
        class_path=f"{type(network).__module__}.{type(network).__qualname__}",
        hyperparameters=dict(cli.model.hparams),
        weights=cli.model.weights,
        parameters=count_parameters(cli.model),
        file=describe_file(path),
    )


def count_parameters(model: DigitClassifier) -> Parameters:
    """Count the parameters, and those that learn at some time of the training."""
    return Parameters(
        total=sum(p.numel() for p in model.network.parameters()),
        trainable=sum(p.numel() for p in model.learning_parameters()),
    )


def describe_dataset(cli: StudyCLI) -> DatasetDescription:
    """Describe the images of the run."""
    data = cli.datamodule
    return DatasetDescription(
        name=data.dataset.name,
        fingerprint=data.dataset.fingerprint,
        is_standard=data.dataset.is_standard,
        train=len(data.train),
        validation=len(data.val),
        test=len(data.test),
    )


def describe_training(cli: StudyCLI) -> Training:
    """Describe the training up to now, whose best epoch is that of the best checkpoint."""
    rows, trainer = cli.history.rows, cli.trainer
    best = _best_row(cli)
    return Training(
        seed=cli.config.seed_everything,
        epochs=len(rows),
        best_epoch=int(best["epoch"]),
        best_train_loss=best["train/loss"],
        best_train_accuracy=best["train/accuracy"],
        steps=int(rows[-1]["step"]),
        seconds=round(cli.stopwatch.seconds, 1),
        accelerator=trainer.strategy.root_device.type,
        devices=trainer.world_size,
        precision=str(trainer.precision),
        resumed=cli.history.resumed,
        commit=cli.history.commit,
        command=tuple(cli.command),
    )


def _best_row(cli: StudyCLI) -> dict[str, float]:
    """The epoch of the best checkpoint; like that, the last of equally good ones."""
    choose = max if cli.best.mode == "max" else min
    return choose(reversed(cli.history.rows), key=lambda row: row[str(cli.best.monitor)])
