"""Load a trained network from a file, whatever its format."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from mnist_lightning.errors import OutputError, UserError
from mnist_lightning.export.onnx import OnnxNetwork
from mnist_lightning.export.program import load_program
from mnist_lightning.export.torchscript import load_torchscript
from mnist_lightning.models import CNN, CNNClassifier, DigitClassifier, ResNet50, ResNet50Classifier
from mnist_lightning.training.checkpoints import check_fits, read_checkpoint

#: What trains each network, by the name of the network's class.
CLASSIFIERS: dict[str, type[DigitClassifier]] = {
    CNN.__name__: CNNClassifier,
    ResNet50.__name__: ResNet50Classifier,
}
_NETWORK = "network."
#: A hyperparameter that only one of them has tells whose checkpoint it is.
_TELLTALES = {"widths": CNN.__name__, "image_size": ResNet50.__name__}


def load_network(path: Path) -> nn.Module:
    """Load a trained network onto the CPU, in evaluation mode.

    Args:
        path: An exported file or a checkpoint, its format given by its suffix, one of
            ``SUFFIXES``.

    Returns:
        uint8 ``(N, 1, 28, 28)`` to float32 logits ``(N, 10)``.

    Raises:
        OutputError: There is no such file, or it is damaged or of another format.
        UserError: The package that reads the format is not installed.
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
    except (UserError, OSError):
        raise
    except Exception as error:  # damaged bytes can make a reader raise nearly anything
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise OutputError(
            f"{path} is not a valid {name} file ({reason:.80}): take an intact copy, or make it "
            "again with scripts/train.py."
        ) from None


def load_checkpoint_network(path: Path) -> nn.Module:
    """Load the network of a training's checkpoint; no code in the file is run.

    Args:
        path: A ``best.ckpt`` or ``last.ckpt``.

    Returns:
        The network, built from all hyperparameters in the checkpoint, with its weights.

    Raises:
        OutputError: The file is damaged, or not a checkpoint of a network of this study.
    """
    try:
        checkpoint = read_checkpoint(path)
        settings = checkpoint["hyper_parameters"]
        kind = next(kind for key, kind in _TELLTALES.items() if key in settings)
        network = build_classifier(kind, settings).network
        state = checkpoint["state_dict"].items()
        # Beside the network there are the states of the training's metrics.
        mine = {k.removeprefix(_NETWORK): v for k, v in state if k.startswith(_NETWORK)}
        check_fits({"state_dict": mine}, path, network)
        network.load_state_dict(mine)
    except UserError as error:
        raise OutputError(str(error).removeprefix("--ckpt_path: ")) from None
    except (KeyError, TypeError, ValueError, RuntimeError, StopIteration):
        raise OutputError(
            f"{path} is not a checkpoint of a network of this study: give an exported file."
        ) from None
    return network.eval()


def build_classifier(kind: str, hyperparameters: Mapping[str, Any]) -> DigitClassifier:
    """Build a network with random weights, and what trains it, as it was built for its training.

    Args:
        kind: Name of the network's class, e.g. ``CNN``.
        hyperparameters: All arguments of the classifier, as records and checkpoints have them.

    Raises:
        OutputError: There is no such network, or it does not take these arguments.
    """
    if kind not in CLASSIFIERS:
        raise OutputError(f"There is no network {kind} in this version")
    try:
        return CLASSIFIERS[kind](**hyperparameters)
    except (TypeError, ValueError) as error:
        raise OutputError(
            f"{kind} does not take the settings of this file ({error}): it is of another version"
        ) from None


LOADERS = {
    ".pt": ("TorchScript", load_torchscript),
    ".pt2": ("torch.export", load_program),
    ".onnx": ("ONNX", OnnxNetwork),
    ".ckpt": ("checkpoint", load_checkpoint_network),
}
SUFFIXES = tuple(LOADERS)
