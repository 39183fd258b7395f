"""A trained network from a file, whatever its format."""

from pathlib import Path

from torch import nn

from mnist_lightning.errors import OutputError
from mnist_lightning.formats.torchscript import load_torchscript

SUFFIXES = (".pt",)


def load_network(path: Path) -> nn.Module:
    """Load a trained network onto the CPU, in evaluation mode.

    Args:
        path: An exported file, its format told by its suffix, one of ``SUFFIXES``.

    Returns:
        uint8 ``(N, 1, 28, 28)`` to float32 logits ``(N, 10)``.

    Raises:
        OutputError: There is no such file, or it is damaged or of another format.
    """
    if not path.is_file():
        raise OutputError(f"There is no model file {path}: make one with scripts/train.py.")
    if path.suffix not in SUFFIXES:
        raise OutputError(f"{path} is no model file: its name must end with {SUFFIXES}.")
    try:
        return load_torchscript(path)
    except (RuntimeError, ValueError) as error:  # the second where names are not UTF-8
        reason = str(error).splitlines()[0]
        raise OutputError(f"{path} is not a TorchScript file ({reason:.80}).") from None
