"""A trained network that is to be exported, and where it comes from."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from mnist_lightning.data.digits import Digits
from mnist_lightning.errors import OutputError, UserError
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.export.loading import build_classifier, load_network
from mnist_lightning.export.restoring import restore_network
from mnist_lightning.files.identity import check_file
from mnist_lightning.models import Ensemble
from mnist_lightning.records.record import Record
from mnist_lightning.training.checkpoints import check_fits, read_checkpoint

#: Test images on which float32 and the precision of the training may disagree.
TOLERATED = 3


def network_from_exported(record: Record, path: Path) -> nn.Module:
    """Rebuild the network of a record with the weights of its TorchScript file.

    Raises:
        OutputError: The file is missing, damaged, or not the one that the record speaks of.
    """
    remedy = f"give a checkpoint with --ckpt_path, or make it with `{record.making_command}`"
    frozen = load_network(check_file(path.parent, record.model.file, remedy))
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
    kind = record.model.class_path.rpartition(".")[2]
    model = build_classifier(kind, record.model.hyperparameters)
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
    """The network of a record, with random weights."""
    members = record.members
    if members is None:
        kind, settings = record.model.class_path, record.model.hyperparameters
        return build_classifier(kind.rpartition(".")[2], settings).network
    kind = members.class_path.rpartition(".")[2]
    return Ensemble(
        [build_classifier(kind, members.hyperparameters).network for _ in members.seeds]
    )
