"""Load a trained network from a file: an export, its weights, or a checkpoint.

The classifiers are imported inside functions: Lightning takes seconds, and exports do without.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from mnist_lightning.errors import OutputError, UserError, reason_of
from mnist_lightning.export.onnx import OnnxNetwork
from mnist_lightning.export.program import load_program
from mnist_lightning.export.torchscript import load_torchscript
from mnist_lightning.files.limits import Within, check

OPTION = "--ckpt_path: "
MAX_MEMBERS = 1000
#: Name of the class of ensembles.
ENSEMBLE = "Ensemble"
_NETWORK = "network."
#: Hyperparameters that only one of the classifiers has, to identify checkpoints.
_TELLTALES = {"widths": "CNN", "image_size": "ResNet50"}


def load_network(path: Path) -> nn.Module:
    """Load a trained network onto the CPU, in evaluation mode.

    Args:
        path: An exported file, a file of weights or a checkpoint. Its suffix, one of ``SUFFIXES``,
            tells the format.

    Returns:
        uint8 ``(N, 1, 28, 28)`` to float32 logits ``(N, 10)``.

    Raises:
        OutputError: The file is missing, damaged or of another format, or the package that reads
            the format is not installed.
    """
    if not path.is_file():
        raise OutputError(f"There is no model file {path}: make one with scripts/train.py.")
    if path.suffix not in SUFFIXES:
        raise OutputError(
            f"{path} is not a model file: its name must end in {', '.join(SUFFIXES)}."
        )
    name, load = LOADERS[path.suffix]
    try:
        return load(path)
    except OSError:
        raise
    except UserError as error:
        # Not every command that loads a checkpoint has this option.
        raise OutputError(str(error).removeprefix(OPTION)) from None
    except Exception as error:  # damaged bytes can make a reader raise nearly anything
        raise OutputError(
            f"{path} is not a valid {name} file ({reason_of(error):.120}): take an intact copy, or "
            "make it again with scripts/train.py."
        ) from None


def load_checkpoint_network(path: Path) -> nn.Module:
    """Load the network of a training's checkpoint; no code in the file is run.

    Args:
        path: A ``last.ckpt`` or another checkpoint of a run.

    Returns:
        The network, built from the hyperparameters in the checkpoint.

    Raises:
        UserError: The file is not a checkpoint.
        ValueError: It is not a checkpoint of a network of this study.
    """
    from mnist_lightning.training.checkpoints import read_checkpoint

    checkpoint = read_checkpoint(path)
    settings = checkpoint.get("hyper_parameters", {})
    kind = next((kind for key, kind in _TELLTALES.items() if key in settings), "of this study")
    return build_network(kind, settings, network_state(checkpoint))


def network_state(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return the network's part of a checkpoint's state dict; the rest are states of metrics."""
    state = checkpoint["state_dict"].items()
    return {k.removeprefix(_NETWORK): value for k, value in state if k.startswith(_NETWORK)}


def load_weights(path: Path) -> nn.Module:
    """Load a safetensors file that ``write_weights`` wrote; such a file cannot contain code.

    Returns:
        The network, built from the class and the hyperparameters that the file names.

    Raises:
        ValueError: It is not a file of a network of this study.
        Exception: The file is damaged.
    """
    with safe_open(path, framework="pt") as file:
        described = file.metadata() or {}
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    settings = json.loads(described.get("hyperparameters", "{}"))
    return build_network(described.get("class", "of this study"), settings, state)


def build_network(kind: str, settings: Mapping[str, Any], state: Mapping[str, Any]) -> nn.Module:
    """Build a network of the study with given weights.

    Args:
        kind: Name of the network's class, e.g. ``CNN``.
        settings: All arguments of the classifier that trained it, as records, checkpoints and
            files of weights store them; of an ensemble, as in :class:`Members`.
        state: The network's state dict.

    Returns:
        The network, on the CPU, in float32 and evaluation mode.

    Raises:
        ValueError: The network is unknown, does not take these arguments, or the weights do not
            fit; the message is one line.
    """
    try:
        # On the meta device, so that absurd settings in a damaged file take no memory.
        with torch.device("meta"):
            network = _untrained(kind, settings)
        if kind == ENSEMBLE:
            # Files of records of version 2 have no temperature.
            state = {"temperature": torch.ones(()), **state}
        network.load_state_dict(state, assign=True)
    except Exception as error:  # settings from a file can be anything
        raise ValueError(" ".join(str(error).split())) from None
    return network.float().to(memory_format=torch.channels_last).eval()


def _untrained(kind: str, settings: Mapping[str, Any]) -> nn.Module:
    from mnist_lightning import models

    if kind == ENSEMBLE:
        check(Within(1, MAX_MEMBERS), list(settings["seeds"]), "the number of seeds")
        member = settings["class_path"].rpartition(".")[2]
        return models.Ensemble(
            [_untrained(member, settings["hyperparameters"]) for _ in settings["seeds"]]
        )
    # The classifier that trains each network, whose arguments the settings are.
    classifiers: dict[str, type[models.DigitClassifier]] = {
        "CNN": models.CNNClassifier,
        "ResNet50": models.ResNet50Classifier,
    }
    if kind not in classifiers:
        raise ValueError(f"there is no network {kind} in this version")
    # Older networks have no contrast normalisation, and no such setting.
    return classifiers[kind](**{"contrast_normalisation": False, **settings}).network


LOADERS = {
    ".pt": ("TorchScript", load_torchscript),
    ".pt2": ("torch.export", load_program),
    ".onnx": ("ONNX", OnnxNetwork),
    ".safetensors": ("safetensors", load_weights),
    ".ckpt": ("checkpoint", load_checkpoint_network),
}
SUFFIXES = tuple(LOADERS)
