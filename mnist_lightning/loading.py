"""A trained network from a file, whatever its format."""

from pathlib import Path

from torch import nn

from mnist_lightning.checkpoint_network import load_checkpoint_network
from mnist_lightning.errors import OutputError, UserError
from mnist_lightning.formats.onnx import OnnxNetwork
from mnist_lightning.formats.program import load_program
from mnist_lightning.formats.torchscript import load_torchscript

LOADERS = {
    ".pt": ("TorchScript", load_torchscript),
    ".pt2": ("torch.export", load_program),
    ".onnx": ("ONNX", OnnxNetwork),
    ".ckpt": ("checkpoint", load_checkpoint_network),
}
SUFFIXES = tuple(LOADERS)


def load_network(path: Path) -> nn.Module:
    """Load a trained network onto the CPU, in evaluation mode.

    Args:
        path: An exported file, its format told by its suffix, one of ``SUFFIXES``.

    Returns:
        uint8 ``(N, 1, 28, 28)`` to float32 logits ``(N, 10)``.

    Raises:
        OutputError: There is no such file, or it is damaged or of another format.
        UserError: The package that reads the format is not installed.
    """
    if not path.is_file():
        raise OutputError(f"There is no model file {path}: make one with scripts/train.py.")
    if path.suffix not in SUFFIXES:
        raise OutputError(f"{path} is no model file: its name must end with {', '.join(SUFFIXES)}.")
    name, load = LOADERS[path.suffix]
    try:
        return load(path)
    except (UserError, OSError):
        raise
    except Exception as error:  # damaged bytes can make a reader raise nearly anything
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise OutputError(
            f"{path} is not a sound {name} file ({reason:.80}): take a sound copy, or make it "
            "again with scripts/train.py."
        ) from None
