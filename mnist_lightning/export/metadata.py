"""What an exported file says about itself, whatever its format."""

import json
from dataclasses import dataclass

from torch import Tensor, nn

from mnist_lightning.data.digits import Digits
from mnist_lightning.records.environment import Environment
from mnist_lightning.records.record import Record

METADATA_FILE = "metadata.json"
#: What stands for the name of a file where the network comes straight from its training.
TRAINING = "training"
CLASSES = tuple("0123456789")
INPUT = "images: uint8 (N, 1, 28, 28), 0 is background and 255 is ink, N from 1; nothing to prepare"
OUTPUT = "logits: float32 (N, 10); softmax over the last axis gives probabilities"


@dataclass(frozen=True)
class Metadata:
    """What a stranger who finds the file needs to know.

    Attributes:
        title: The model's name for people, e.g. ``Custom CNN``.
        dataset: Name of the dataset it was trained and tested on.
        test_accuracy: Share of that dataset's test images that it reads right, 0 to 1.
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
        """Return the entries as ONNX and TorchScript keep them: texts by name."""
        return {
            "title": self.title,
            "classes": json.dumps(CLASSES),
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
        """Return the entries as one JSON object, for formats that keep files."""
        return json.dumps(self.entries(), indent=2)


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
