"""The parts of a record that describe what was trained, on what and how.

What the exported model does is described by :mod:`~mnist_lightning.evaluation.metrics` and
:mod:`~mnist_lightning.evaluation.latency`, the machine by
:mod:`~mnist_lightning.evaluation.environment`.
"""

from dataclasses import dataclass

ENSEMBLE_SUFFIX = "_ensemble"


def making_command(name: str, preset: str) -> str:
    """Return the command that makes the files of a model.

    Args:
        name: Prefix of the files; that of an ensemble ends with ``_ensemble``.
        preset: What ``--model`` of ``train.py`` takes to train it.
    """
    if name.endswith(ENSEMBLE_SUFFIX):
        return f"python scripts/ensemble.py --model {name.removesuffix(ENSEMBLE_SUFFIX)}"
    return f"python scripts/train.py --model {preset}"


def dataset_label(name: str, fingerprint: str) -> str:
    """Name a dataset with the beginning of its fingerprint: ``MNIST (06b0d1f1)``."""
    return f"{name} ({fingerprint[:8]})"


@dataclass(frozen=True)
class FileDescription:
    """A file that belongs to the record and lies beside it.

    Attributes:
        name: Its name, without a folder.
        bytes: Its size.
        sha256: Its SHA-256, 64 hexadecimal digits.
    """

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Parameters:
    """Size of the network.

    Attributes:
        total: Number of parameters.
        trainable: Number of those that training could change.
    """

    total: int
    trainable: int


@dataclass(frozen=True)
class ModelDescription:
    """What was trained.

    Attributes:
        name: Prefix of the files, e.g. ``custom_cnn``.
        preset: What ``--model`` takes to train it again, e.g. ``cnn``.
        title: Its name for people, in figures and tables, e.g. ``Custom CNN``; it says so where
            the weights are random instead of pretrained.
        class_path: Dotted path of the network's class.
        hyperparameters: Arguments of the model, as JSON values; those of an ensemble are
            described by :class:`Members`.
        weights: What training started from: ``random initialisation`` or the name of the
            pretrained weights.
        parameters: Size of the network.
        file: The exported model.
    """

    name: str
    preset: str
    title: str
    class_path: str
    hyperparameters: dict[str, object]
    weights: str
    parameters: Parameters
    file: FileDescription


@dataclass(frozen=True)
class Members:
    """What an ensemble is made of: the ``hyperparameters`` of its record.

    Attributes:
        class_path: Dotted path of the class of each member.
        hyperparameters: Arguments of each member, as JSON values.
        seeds: The seed that each was trained with, in order.
        files: SHA-256 of the exported file of each, in the same order.
    """

    class_path: str
    hyperparameters: dict[str, object]
    seeds: tuple[int, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class DatasetDescription:
    """What it was trained, selected and tested on.

    Attributes:
        name: Name of the dataset, e.g. ``MNIST``.
        fingerprint: SHA-256 over all pixels and labels, 64 hexadecimal digits. Two records are
            comparable only if theirs are equal.
        is_standard: Whether it is the standard MNIST, so that published results apply.
        train: Number of training images, without those of validation.
        validation: Number of validation images, on which the best epoch was selected.
        test: Number of test images, used once.
    """

    name: str
    fingerprint: str
    is_standard: bool
    train: int
    validation: int
    test: int

    @property
    def label(self) -> str:
        """What titles call it."""
        return dataset_label(self.name, self.fingerprint)


@dataclass(frozen=True)
class Training:
    """How it was trained; epochs, steps and seconds of an ensemble are those of all its members.

    Attributes:
        seed: Seed of initialisation, order and augmentation; null for an ensemble, each member of
            which has its own.
        epochs: Number of epochs trained.
        best_epoch: The epoch whose weights were exported, counted from 1; null for an ensemble.
        best_train_loss: Training loss of that epoch in nats, on augmented images while the
            weights moved; null where it was not logged.
        best_train_accuracy: Training accuracy of that epoch, measured the same way; 0 to 1 or
            null.
        steps: Number of optimiser steps.
        seconds: Wall time of the training with its validations, over all parts of a resumed run.
        accelerator: ``cpu`` or ``cuda``.
        devices: Number of devices, over all nodes.
        precision: Lightning's name of the numerical precision, e.g. ``bf16-mixed``.
        resumed: Whether it was continued from a checkpoint at least once.
        commit: Git commit of the source that trained, 40 hexadecimal digits; null outside a
            checkout and where that of the members differs. The record may have been made later,
            see ``environment``.
        command: The command line, word by word.
    """

    seed: int | None
    epochs: int
    best_epoch: int | None
    best_train_loss: float | None
    best_train_accuracy: float | None
    steps: int
    seconds: float
    accelerator: str
    devices: int
    precision: str
    resumed: bool
    commit: str | None
    command: tuple[str, ...]


@dataclass(frozen=True)
class ExportParity:
    """The exported file, loaded again, against the network it came from.

    Attributes:
        format: Format of the file, e.g. ``TorchScript``.
        max_abs_difference: Largest absolute difference between two logits.
        argmax_agreement: Share of the images with the same prediction, 0 to 1.
        n: Number of images compared.
    """

    format: str
    max_abs_difference: float
    argmax_agreement: float
    n: int
