"""The record of a trained model: one JSON file with its training, its files and its results.

:class:`Record` and the dataclasses in its fields are the schema; each documents its keys.
``SCHEMA_VERSION`` is raised whenever a key is added, removed, renamed or changes its meaning. Older
records are read where ``old_versions`` can supply what they lack. All shares are between 0 and 1,
never percent.
"""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from mnist_lightning.evaluation.cost import Parameters
from mnist_lightning.evaluation.latency import Latency
from mnist_lightning.evaluation.metrics import DetailedMetrics, Metrics
from mnist_lightning.evaluation.parity import ExportParity
from mnist_lightning.files.identity import FileDescription
from mnist_lightning.files.json_document import decode, read_document, write_document
from mnist_lightning.files.limits import (
    Argument,
    Count,
    Name,
    NotNegative,
    Seed,
    Sha256,
    Share,
    Title,
    Within,
)
from mnist_lightning.records.artefacts import ENSEMBLE_SUFFIX, RECORD
from mnist_lightning.records.environment import Environment
from mnist_lightning.records.old_versions import upgrade_record
from mnist_lightning.records.weights_origin import WeightsOrigin
from mnist_lightning.terminal.presets import take_option

SCHEMA_VERSION = 3


def making_command(name: str, preset: str) -> str:
    """Return the command that produces the files of a model.

    Args:
        name: Prefix of the files; that of an ensemble ends with ``_ensemble``.
        preset: What ``--model`` of ``train.py`` takes to train it.
    """
    if name.endswith(ENSEMBLE_SUFFIX):
        return f"python scripts/ensemble.py --model {name.removesuffix(ENSEMBLE_SUFFIX)}"
    return f"python scripts/train.py --model {preset}"


def dataset_label(name: str, fingerprint: str) -> str:
    """Return the name of a dataset with the start of its fingerprint: ``MNIST (06b0d1f1)``."""
    return f"{name} ({fingerprint[:8]})"


@dataclass(frozen=True)
class NetworkDescription:
    """A network and its hyperparameters.

    Attributes:
        name: Prefix of the files, e.g. ``custom_cnn``.
        preset: The value of ``--model`` that trains it again, e.g. ``cnn``.
        title: Its display name in figures and tables, e.g. ``Custom CNN``; it mentions weights
            that were random instead of pretrained.
        class_path: Dotted path of the network's class.
        hyperparameters: Arguments of the classifier, as JSON values; for an ensemble, see
            :class:`Members`.
        weights: What training started from: ``random initialisation`` or the name of the
            pretrained weights, with their licence if it forbids commercial use.
        parameters: Size of the network.
        weights_origin: The file of the pretrained weights; null for random ones and in records
            before version 3.
    """

    name: Name
    preset: Name
    title: Title
    class_path: str
    hyperparameters: dict[str, object]
    weights: Argument
    parameters: Parameters
    weights_origin: WeightsOrigin | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class ModelDescription(NetworkDescription):
    """A network and the files with its weights.

    Attributes:
        file: The exported model, TorchScript; .pt2 by a torch without TorchScript.
        weights_file: The weights, safetensors; null in records of version 1.
        temperature: The divisor of the logits, fitted on the validation images, that is part of the
            last layer in all files of the model: the softmax of their logits is calibrated. Null in
            records of versions 1 and 2, whose files are not calibrated.
    """

    file: FileDescription
    weights_file: FileDescription | None
    temperature: float | None


@dataclass(frozen=True)
class Members:
    """The members of an ensemble: the ``hyperparameters`` of its record.

    Attributes:
        class_path: Dotted path of the class of each member.
        hyperparameters: Arguments of each member's classifier, as JSON values.
        seeds: The training seed of each, in order.
        files: SHA-256 of the exported file of each, in the same order.
    """

    class_path: str
    hyperparameters: dict[str, object]
    seeds: Annotated[tuple[Seed, ...], Within(1, 1000)]
    files: tuple[Sha256, ...]


@dataclass(frozen=True)
class DatasetDescription:
    """The dataset of the training, the validation and the test.

    Attributes:
        name: Name of the dataset, e.g. ``MNIST``.
        fingerprint: SHA-256 over all pixels and labels, 64 hexadecimal digits. Two records are
            comparable only if theirs are equal.
        is_standard: Whether it is the standard MNIST, so that published results apply.
        train: Number of training images, without those of validation.
        validation: Number of validation images, which no step trains on.
        test: Number of test images, evaluated once.
    """

    name: str
    fingerprint: Sha256
    is_standard: bool
    train: Count
    validation: Count
    test: Count

    @property
    def label(self) -> str:
        """The name in titles."""
        return dataset_label(self.name, self.fingerprint)


@dataclass(frozen=True)
class Training:
    """How it was trained; epochs, steps and seconds of an ensemble are sums over its members.

    Attributes:
        seed: Seed of initialisation, order and augmentation; null for an ensemble, whose members
            have their own.
        epochs: Number of epochs trained; the last one may be cut.
        train_loss: Training loss of the last epoch in nats, on augmented images while the weights
            changed; null for an ensemble, and in records of versions 1 and 2 if the weights of an
            earlier epoch were exported.
        train_accuracy: Training accuracy of that epoch, measured the same way; 0 to 1 or null.
        steps: Number of optimiser steps; the weights after the last one are exported.
        seconds: Wall time of the training with its validations, over all parts of a resumed run.
        accelerator: ``cpu`` or ``cuda``.
        devices: Number of devices, over all nodes.
        precision: Lightning's name of the numerical precision, e.g. ``bf16-mixed``.
        threads: Threads that torch used within one operation on the CPU; null in records of version
            1 and if the members of an ensemble differ.
        resumed: Whether it was resumed from a checkpoint at least once.
        commit: Git commit of the training's source, 40 hexadecimal digits; null outside a checkout
            and if the members differ in it. The record may have been made later, see
            ``environment``.
        command: The arguments of the command line.
    """

    seed: Seed | None
    epochs: Count
    train_loss: NotNegative | None
    train_accuracy: Share | None
    steps: Count
    seconds: NotNegative
    accelerator: str
    devices: Count
    precision: str
    threads: int | None
    resumed: bool
    commit: str | None
    command: tuple[Argument, ...]


@dataclass(frozen=True)
class Record:
    """The record of one trained and exported model.

    Attributes:
        schema_version: Version of this schema.
        model: The network and its files.
        dataset: The dataset of the training, the validation and the test.
        training: How it was trained.
        validation: Metrics of the exported model on the validation images.
        test: Metrics of the exported model on the test images: the result.
        trainer_test: Metrics that ``Trainer.test`` returned for the final weights on the same test
            images, by name; they may differ in the last digits if training ran in another
            precision, and the loss by ``model.temperature``, which a checkpoint does not contain.
            Empty for an ensemble, which no Trainer tests.
        export: The exported file compared with the network it came from.
        predictions: The file with the probabilities behind ``validation`` and ``test``.
        latency: Inference time of the exported model on the CPU.
        environment: Where and when the record was made.
    """

    schema_version: int
    model: ModelDescription
    dataset: DatasetDescription
    training: Training
    validation: Metrics
    test: DetailedMetrics
    trainer_test: dict[str, float]
    export: ExportParity
    predictions: FileDescription
    latency: Latency
    environment: Environment

    def __post_init__(self) -> None:
        """Raise a ``DecodingError`` if the members of an ensemble are not described."""
        _ = self.members

    @property
    def members(self) -> Members | None:
        """The members of an ensemble; None for a model that was trained once."""
        if self.training.seed is not None:
            return None
        key = "model.hyperparameters"
        members: Members = decode(Members, self.model.hyperparameters, key)
        return members

    @property
    def making_command(self) -> str:
        """The command that produces the model and its files again."""
        return making_command(self.model.name, self.model.preset or "NAME")

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of a training, or those of an ensemble's members."""
        if self.training.seed is not None:
            return (self.training.seed,)
        assert self.members is not None
        return self.members.seeds

    @property
    def commands(self) -> list[str]:
        """The command lines that produce the model: training, then averaging for an ensemble."""
        training = f"python scripts/train.py {shlex.join(self.training.command)}"
        if self.members is None:
            return [training]
        return [training, f"{self.making_command} --seeds {' '.join(map(str, self.seeds))}"]

    @property
    def data_dir(self) -> Path:
        """The folder in which the training looked for MNIST."""
        folders, _ = take_option(self.training.command, "--data.data_dir")
        return Path(folders[-1] if folders else "data")

    def write(self, path: Path) -> None:
        """Write the record to a JSON file, which is replaced in one step.

        Args:
            path: Where to write it.

        Raises:
            OSError: The file cannot be written; the old one stays unchanged.
            ValueError: A number is not finite.
        """
        write_document(self, path)


def read_record(path: Path, preset: str = "NAME") -> Record:
    """Read a record and check it against the schema.

    Args:
        path: A file written by :meth:`Record.write`, of this version of the schema or an older one.
        preset: The value of ``--model`` that produces the file again, for messages.

    Returns:
        The record, converted to this version of the schema.

    Raises:
        OutputError: The file is missing, not JSON, of another schema version, or a key in it is
            missing, unknown or of the wrong type. The message names the command that makes it.
    """
    remedy = f"make it with `{making_command(path.name.removesuffix(RECORD), preset)}`"
    return read_document(
        Record, path, version=SCHEMA_VERSION, noun="record", remedy=remedy, upgrade=upgrade_record
    )
