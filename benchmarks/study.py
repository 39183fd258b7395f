"""A training of the study as ``scripts/train.py`` builds it, and a toy network to put into it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mnist_lightning.cli import StudyCLI
from mnist_lightning.models.classifier import NUM_CLASSES, DigitClassifier
from mnist_lightning.terminal.logs import configure_logging
from mnist_lightning.terminal.presets import BASE, config_folder, expand


def build_study(folder: Path, options: Sequence[str]) -> StudyCLI:
    """Build data module, model and Trainer, with all callbacks and the logger of a training.

    Args:
        folder: Where the run leaves its files.
        options: As on the command line of ``scripts/train.py``, ``--model NAME`` among them.
    """
    configure_logging()
    return StudyCLI([*expand(list(options)), "--output_dir", str(folder)], command=[])


def build_toy_study(folder: Path, options: Sequence[str]) -> StudyCLI:
    """Build the same around the toy network; the options are without ``--model``."""
    configure_logging()
    base = str(config_folder() / f"{BASE}.yaml")
    toy = ["--name", "toy", "--model", f"{ToyClassifier.__module__}.{ToyClassifier.__name__}"]
    return StudyCLI(["--config", base, *toy, *options, "--output_dir", str(folder)], command=[])


class LinearOnPixels(nn.Module):
    """Ten weighted sums of the pixels.

    Shape:
        - Input: uint8 ``(N, 1, 28, 28)``.
        - Output: float32 ``(N, 10)``, logits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(28 * 28, NUM_CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of a batch of digits."""
        logits: Tensor = self.head(images.flatten(1).float() / 255).float()
        return logits


class ToyClassifier(DigitClassifier):
    """Trains a linear layer on the pixels: nearly all of its time is that of everything around.

    Args:
        **training: How it is trained, see DigitClassifier.
    """

    title = "Toy"

    def __init__(self, **training: Any) -> None:
        super().__init__(network=LinearOnPixels(), **training)
        self.save_hyperparameters(logger=False)
