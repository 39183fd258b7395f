"""From the members of an ensemble to its files, the same that a training leaves."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from mnist_lightning.card import write_card
from mnist_lightning.data.digits import DigitDataset, Digits
from mnist_lightning.evaluation.environment import Environment
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.latency import measure_latency
from mnist_lightning.evaluation.metrics import measure, measure_in_detail
from mnist_lightning.evaluation.predictions import Predictions, SplitPredictions, write_predictions
from mnist_lightning.evaluation.record import SCHEMA_VERSION, Record, describe_file
from mnist_lightning.evaluation.schema import (
    ENSEMBLE_SUFFIX,
    ModelDescription,
    Parameters,
    Training,
)
from mnist_lightning.evaluation.subsets import subset_accuracies
from mnist_lightning.exportable import TRAINING, Source
from mnist_lightning.exporting import export_formats
from mnist_lightning.formats.metadata import Metadata
from mnist_lightning.formats.torchscript import export_torchscript
from mnist_lightning.members import Member, shared_command
from mnist_lightning.models.ensemble import Ensemble
from mnist_lightning.reporting.style import DPI
from mnist_lightning.reporting.summary import summary
from mnist_lightning.reporting.tested import plot_tested
from mnist_lightning.storage import atomic_path

NEXT_COMMAND = "python scripts/compare.py"
T = TypeVar("T")


def leave_ensemble(
    members: Sequence[Member],
    networks: Sequence[nn.Module],
    dataset: DigitDataset,
    folder: Path,
    environment: Environment,
    command: str,
) -> str:
    """Average the members, export the average, measure the file and write everything down.

    Args:
        members: The members, at least two, of one recipe.
        networks: Their networks, in order.
        dataset: The data they were trained on.
        folder: Where to; older files of this ensemble are replaced, each in one step.
        environment: The machine and the source.
        command: The command that was given.

    Returns:
        The summary, for the terminal.

    Raises:
        OSError: A file cannot be written; older ones are left as they were.
    """
    name = f"{members[0].record.model.name}{ENSEMBLE_SUFFIX}"
    model_path = folder / f"{name}_model.pt"
    network, test = Ensemble(networks), dataset.test
    about = _metadata(members, environment, command)
    exported = export_torchscript(network, model_path, test.images, about)
    # All members were validated on the same images.
    places = torch.from_numpy(members[0].predictions.validation.indices)
    validation = dataset.train[places]
    logits = predict_logits(exported.model, validation.images)
    predictions_path = folder / f"{name}_predictions.npz"
    predictions = Predictions(
        test=SplitPredictions.from_logits(exported.logits, test.labels, torch.arange(len(test))),
        validation=SplitPredictions.from_logits(logits, validation.labels, places),
    )
    write_predictions(predictions_path, predictions)
    record = Record(
        schema_version=SCHEMA_VERSION,
        model=_describe_model(members, model_path),
        dataset=members[0].record.dataset,
        training=_describe_training(members),
        validation=measure(logits, validation.labels),
        test=measure_in_detail(exported.logits, test.labels),
        trainer_test={},
        export=exported.parity,
        predictions=describe_file(predictions_path),
        latency=measure_latency(exported.model, test.images),
        environment=environment,
    )
    pictures = _save_figures(record, test, predictions.test, folder)
    # Last of what it speaks of, as in a training.
    record_path = folder / f"{name}_metrics.json"
    record.write(record_path)
    source = Source(
        network=network,
        name=TRAINING,
        record=record,
        test=test,
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        calibration=validation.images,
        environment=environment,
        command=command,
    )
    export_formats(source, ["torchscript"], folder, exported)
    others = [folder / f"{name}_exports.json", write_card(folder, name)]
    files = [model_path, *others, record_path, predictions_path, *pictures]
    return summary(record, files, NEXT_COMMAND)


def _save_figures(
    record: Record, test: Digits, predictions: SplitPredictions, folder: Path
) -> list[Path]:
    paths = []
    for kind, figure in plot_tested(record, test.images[:, 0].numpy(), predictions).items():
        paths.append(folder / f"{record.model.name}_{kind}.png")
        with atomic_path(paths[-1]) as path:
            figure.savefig(path, dpi=DPI)
    return paths


def title_of(members: Sequence[Member]) -> str:
    """Name an ensemble for people, e.g. ``Custom CNN, ensemble of 5``."""
    return f"{members[0].record.model.title}, ensemble of {len(members)}"


def _metadata(members: Sequence[Member], here: Environment, command: str) -> Metadata:
    """What the TorchScript file says of itself."""
    tested = [member.predictions.test for member in members]
    # Known before the file is made: what it says, and its hash, are written once.
    (accuracy,) = subset_accuracies(
        np.stack([split.probabilities for split in tested]),
        tested[0].labels,
        [tuple(range(len(members)))],
    )
    return Metadata(
        title=title_of(members),
        dataset=members[0].record.dataset.name,
        test_accuracy=accuracy,
        test_images=len(tested[0].labels),
        trained_commit=_only([member.record.training.commit for member in members]),
        exported_commit=here.commit,
        dirty=here.dirty,
        command=command,
    )


def _describe_model(members: Sequence[Member], path: Path) -> ModelDescription:
    described = [member.record.model for member in members]
    one = described[0]
    return ModelDescription(
        name=f"{one.name}{ENSEMBLE_SUFFIX}",
        preset=one.preset,
        title=title_of(members),
        class_path=f"{Ensemble.__module__}.{Ensemble.__qualname__}",
        # As JSON has them, see schema.Members.
        hyperparameters={
            "class_path": one.class_path,
            "hyperparameters": one.hyperparameters,
            "seeds": [member.seed for member in members],
            "files": [model.file.sha256 for model in described],
        },
        weights=one.weights,
        parameters=Parameters(
            total=sum(model.parameters.total for model in described),
            trainable=sum(model.parameters.trainable for model in described),
        ),
        file=describe_file(path),
    )


def _describe_training(members: Sequence[Member]) -> Training:
    trainings = [member.record.training for member in members]
    seeds = [str(member.seed) for member in members]
    return Training(
        seed=None,
        epochs=sum(training.epochs for training in trainings),
        best_epoch=None,
        best_train_loss=None,
        best_train_accuracy=None,
        steps=sum(training.steps for training in trainings),
        seconds=round(sum(training.seconds for training in trainings), 1),
        accelerator=_joined([training.accelerator for training in trainings]),
        devices=max(training.devices for training in trainings),
        precision=_joined([training.precision for training in trainings]),
        resumed=any(training.resumed for training in trainings),
        commit=_only([training.commit for training in trainings]),
        command=(*shared_command(members[0].record), "--seeds", *seeds),
    )


def _joined(words: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(words))


def _only(values: Sequence[T]) -> T | None:
    """The value that all have in common; None where they have none."""
    return values[0] if len(set(values)) == 1 else None
