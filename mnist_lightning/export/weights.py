"""The weights of a trained network in a safetensors file, and the network built from them again.

Exporting TorchScript folds batch normalisation into the convolutions and freezes all weights into
the graph. Whatever needs the network itself later (other formats, an ensemble, gradients at the
pixels) takes it from this file.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import safetensors.torch
from torch import nn

from mnist_lightning.data.digits import Digits
from mnist_lightning.errors import OutputError, UserError
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.metrics import count_correct
from mnist_lightning.export.loading import OPTION, build_network, load_network, network_state
from mnist_lightning.files.identity import FileDescription, check_file, describe_file
from mnist_lightning.files.storage import atomic_path
from mnist_lightning.records.record import NetworkDescription, Record
from mnist_lightning.training.checkpoints import read_checkpoint

#: Number of test images on which float32 and the precision of the training may disagree.
TOLERATED = 3


def write_weights(
    network: nn.Module, path: Path, described: NetworkDescription, calibration: Mapping[str, str]
) -> FileDescription:
    """Write the state dict of a network, in float32, with what is needed to build it again.

    Args:
        network: The network.
        path: Where to write it; an older file is replaced in one step.
        described: Its class and hyperparameters, which the file stores as metadata.
        calibration: More metadata, :meth:`Metadata.calibration`.

    Returns:
        Name, size and hash of the file.

    Raises:
        OSError: The file cannot be written; an older one stays unchanged.
    """
    state = {
        # safetensors stores neither layouts nor anything on another device.
        name: (value.float() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in network.state_dict().items()
    }
    metadata = {
        "format": "pt",
        "title": described.title,
        "class": described.class_path.rpartition(".")[2],
        "hyperparameters": json.dumps(described.hyperparameters),
        **calibration,
    }
    with atomic_path(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(state, metadata))
    return describe_file(path)


def network_from_weights(record: Record, path: Path, remedy: str) -> nn.Module:
    """Build the network of a record with the weights of its safetensors file.

    Args:
        record: The record.
        path: The file.
        remedy: What to do if the file is missing or another one, for the message.

    Returns:
        The network, on the CPU, in evaluation mode.

    Raises:
        OutputError: The file is missing, damaged, or not the one that the record names.
    """
    described = record.model.weights_file
    if described is None:
        raise OutputError(
            f"There is no {path}: {record.model.name} was trained by a version that did not write "
            f"it; {remedy}."
        )
    return load_network(check_file(path.parent, replace(described, name=path.name), remedy))


def network_from_checkpoint(record: Record, path: Path, test: Digits) -> nn.Module:
    """Build the network of a record with the weights of a checkpoint.

    Args:
        record: The record.
        path: The checkpoint.
        test: The test images, with their labels.

    Returns:
        The network, on the CPU, in evaluation mode.

    Raises:
        UserError: The checkpoint is missing, damaged, of another model or of another training.
    """
    if record.members:
        raise UserError(f"{OPTION}{record.model.name} is an ensemble, which has no checkpoint")
    state = network_state(read_checkpoint(path))
    kind = record.model.class_path.rpartition(".")[2]
    try:
        network = build_network(kind, record.model.hyperparameters, state)
    except ValueError as error:
        raise UserError(f"{OPTION}{path} is of another model ({error!s:.160})") from None
    correct = count_correct(predict_logits(network, test.images), test.labels)
    if len(test) == record.test.n and abs(correct - record.test.correct) > TOLERATED:
        raise UserError(
            f"{OPTION}{path} classifies {correct:,} test images correctly, but its record says "
            f"{record.test.correct:,}: it is not the checkpoint that was measured; take last.ckpt"
        )
    return network
