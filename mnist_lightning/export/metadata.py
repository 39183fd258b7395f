"""The description of itself that every exported file contains, whatever its format."""

import json
from dataclasses import dataclass

from torch import Tensor, nn

from mnist_lightning.data.digits import CLASSES, Digits
from mnist_lightning.records.environment import Environment
from mnist_lightning.records.record import NetworkDescription

METADATA_FILE = "metadata.json"
#: Stands for a file name where the weights come straight from training.
TRAINING = "training"
CLASS_NAMES = tuple(map(str, range(CLASSES)))
INPUT = "images: uint8 (N, 1, 28, 28), 0 is background and 255 is ink, N from 1; nothing to prepare"
OUTPUT = "logits: float32 (N, 10); softmax over the last axis gives probabilities"


@dataclass(frozen=True)
class Metadata:
    """What a stranger who finds the file needs to know.

    Attributes:
        title: The model's display name, e.g. ``Custom CNN``.
        dataset: Name of the dataset it was trained and tested on.
        test_accuracy: Its accuracy on that dataset's test images, 0 to 1.
        test_images: Number of these images.
        trained_commit: Git commit of the source that trained it; null outside a checkout.
        exported_commit: Git commit of the source that wrote the file; null outside a checkout.
        dirty: Whether tracked source files differed from ``exported_commit``; null without one.
        command: The command that wrote the file.
    """

    title: str
    dataset: str
    test_accuracy: float
    test_images: int
    trained_commit: str | None
    exported_commit: str | None
    dirty: bool | None
    command: str

    def entries(self) -> dict[str, str]:
        """Return the entries as ONNX and TorchScript store them: strings by name."""
        return {
            "title": self.title,
            "classes": json.dumps(CLASS_NAMES),
            "input": INPUT,
            "output": OUTPUT,
            "dataset": self.dataset,
            "test_accuracy": f"{self.test_accuracy:.6f}",
            "test_images": str(self.test_images),
            "trained_commit": self.trained_commit or "unknown",
            "exported_commit": f"{self.exported_commit or 'unknown'}{'+' if self.dirty else ''}",
            "command": self.command,
            "licence": "MIT",
        }

    def to_json(self) -> str:
        """Return the entries as one JSON object, for formats that store extra files."""
        return json.dumps(self.entries(), indent=2)


@dataclass(frozen=True, eq=False)
class Source:
    """A network to export, with its description and the images to compare the files on.

    Attributes:
        network: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``.
        name: Where its weights come from: the name of a file, or ``training``.
        model: Its description.
        metadata: The description for the files.
        test: The images to compare the files on, with their labels.
        dataset: Name of the dataset that contains these images.
        fingerprint: SHA-256 over the whole dataset.
        calibration: uint8 ``(M, 1, 28, 28)``, training images.
        environment: Where the files are written.
    """

    network: nn.Module
    name: str
    model: NetworkDescription
    metadata: Metadata
    test: Digits
    dataset: str
    fingerprint: str
    calibration: Tensor
    environment: Environment
