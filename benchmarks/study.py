"""Builds trainings as ``scripts/train.py`` does, with a network of the study or a toy network."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mnist_lightning.cli import StudyCLI
from mnist_lightning.data.digits import CLASSES, SIDE
from mnist_lightning.models.classifier import DigitClassifier
from mnist_lightning.terminal.logs import configure_logging
from mnist_lightning.terminal.presets import BASE, config_folder, expand


def build_study(folder: Path, options: Sequence[str]) -> StudyCLI:
    """Build data module, model and Trainer with all callbacks and loggers of a training.

    Args:
        folder: Output folder of the training.
        options: The arguments of ``scripts/train.py``, with ``--model NAME``.
    """
    configure_logging()
    return StudyCLI([*expand(list(options)), "--output_dir", str(folder)], command=[])


def build_toy_study(folder: Path, options: Sequence[str]) -> StudyCLI:
    """Build the same with the toy network; ``options`` are without ``--model``."""
    configure_logging()
    base = str(config_folder() / f"{BASE}.yaml")
    toy = ["--name", "toy", "--model", f"{ToyClassifier.__module__}.{ToyClassifier.__name__}"]
    return StudyCLI(["--config", base, *toy, *options, "--output_dir", str(folder)], command=[])


class LinearOnPixels(nn.Module):
    """A linear layer on the pixels.

    Shape:
        - Input: uint8 ``(N, 1, 28, 28)``.
        - Output: float32 ``(N, 10)``, logits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(SIDE * SIDE, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of a batch of digits."""
        logits: Tensor = self.head(images.flatten(1).float() / 255).float()
        return logits


class ToyClassifier(DigitClassifier):
    """Trains a linear layer, so that nearly all of the time is spent outside the network.

    Args:
        **training: Arguments of DigitClassifier.
    """

    title = "Toy"

    def __init__(self, **training: Any) -> None:
        super().__init__(network=LinearOnPixels(), **training)
        self.save_hyperparameters(logger=False)
