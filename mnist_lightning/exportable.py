"""A trained network that is to be exported, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from mnist_lightning import models
from mnist_lightning.data.digits import Digits
from mnist_lightning.errors import OutputError, UserError
from mnist_lightning.evaluation.environment import Environment
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.record import Record, describe_file
from mnist_lightning.evaluation.schema import ModelDescription
from mnist_lightning.formats.metadata import Metadata
from mnist_lightning.formats.restoring import restore_network
from mnist_lightning.loading import load_network
from mnist_lightning.training.runs import check_fits, read_checkpoint

#: What stands for the name of a file where the network comes straight from its training.
TRAINING = "training"
#: Test images on which float32 and the precision of the training may disagree.
TOLERATED = 3


@dataclass(frozen=True, eq=False)
class Source:
    """A network to export, and what is known about it.

    Attributes:
        network: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``.
        name: Where its weights came from: the name of a file, or ``training``.
        record: The record of its training.
        test: The images to compare the files on, and their labels.
        dataset: Name of the dataset that these images are of.
        fingerprint: SHA-256 over all of it.
        calibration: uint8 ``(M, 1, 28, 28)``, training images.
        environment: Where the files are made.
        command: The command that makes them.
    """

    network: nn.Module
    name: str
    record: Record
    test: Digits
    dataset: str
    fingerprint: str
    calibration: Tensor
    environment: Environment
    command: str

    @property
    def metadata(self) -> Metadata:
        """What the files say about themselves."""
        return Metadata(
            title=self.record.model.title,
            dataset=self.record.dataset.name,
            test_accuracy=self.record.test.accuracy,
            test_images=self.record.test.n,
            trained_commit=self.record.training.commit,
            exported_commit=self.environment.commit,
            dirty=self.environment.dirty,
            command=self.command,
        )


def network_from_exported(record: Record, path: Path) -> nn.Module:
    """Rebuild the network of a record with the weights of its TorchScript file.

    Raises:
        OutputError: The file is missing, damaged, or not the one that the record speaks of.
    """
    if not path.is_file():
        raise OutputError(
            f"There is no {path} to take the weights from: give a checkpoint with --ckpt_path, or "
            f"make it with `{record.making_command}`"
        )
    frozen = load_network(path)
    if describe_file(path).sha256 != record.model.file.sha256:
        raise OutputError(
            f"{path} is not the file that its record speaks of: make it again with "
            f"`{record.making_command}`"
        )
    assert isinstance(frozen, torch.jit.ScriptModule)
    try:
        return restore_network(_untrained(record), frozen)
    except OutputError as error:
        raise OutputError(f"{path}: {error}") from None


def network_from_checkpoint(record: Record, path: Path, test: Digits) -> nn.Module:
    """Rebuild the network of a record with the weights of a checkpoint.

    Raises:
        UserError: The checkpoint is missing, damaged, of another model or of another training.
    """
    if record.members:
        raise UserError(f"--ckpt_path: {record.model.name} is an ensemble, which has no checkpoint")
    checkpoint = read_checkpoint(path)
    model = _build(record.model)
    check_fits(checkpoint, path, model)
    model.load_state_dict(checkpoint["state_dict"])
    network = model.network.eval()
    logits = predict_logits(network, test.images)
    correct = int((logits.argmax(1) == test.labels).sum())
    if len(test) == record.test.n and abs(correct - record.test.correct) > TOLERATED:
        raise UserError(
            f"--ckpt_path: {path} reads {correct:,} test images right and its record says "
            f"{record.test.correct:,}: it is not the checkpoint that was measured; take best.ckpt"
        )
    return network


def _untrained(record: Record) -> nn.Module:
    """The network of a record, with weights that mean nothing."""
    members = record.members
    if members is None:
        return _build(record.model).network
    one = replace(
        record.model, class_path=members.class_path, hyperparameters=members.hyperparameters
    )
    return models.Ensemble([_build(one).network for _ in members.seeds])


def _build(described: ModelDescription) -> models.DigitClassifier:
    kind = described.class_path.rpartition(".")[2]
    classifier = getattr(models, f"{kind}Classifier", None)
    if classifier is None:
        raise OutputError(f"There is no network {described.class_path} in this version")
    try:
        model: models.DigitClassifier = classifier(**described.hyperparameters)
    except (TypeError, ValueError) as error:
        raise OutputError(
            f"The record of {described.name} has settings that {kind} does not take ({error}): "
            "it is of another version"
        ) from None
    return model
