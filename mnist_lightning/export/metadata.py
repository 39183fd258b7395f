"""The metadata that every exported file contains, the same in all formats."""

import json
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from torch import Tensor, nn

from mnist_lightning.data.digits import CLASSES, Digits
from mnist_lightning.records.environment import Environment
from mnist_lightning.records.record import DatasetDescription, NetworkDescription, Training

METADATA_FILE = "metadata.json"
#: Replaces the name of a file if the weights come straight from training.
TRAINING = "training"
CLASS_NAMES = tuple(map(str, range(CLASSES)))
INPUT = "images: uint8 (N, 1, 28, 28), 0 is background and 255 is ink, N from 1; nothing to prepare"
OUTPUT = "logits: float32 (N, 10); softmax over the last axis gives probabilities"
NOT_CALIBRATED = "none"


def read_entries(path: Path) -> dict[str, str]:
    """Read the entries of a file that can be loaded, and so is known to be valid.

    Args:
        path: An exported file, a file of weights or a checkpoint.

    Returns:
        The entries; none for a checkpoint, and if another program has written the file.
    """
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    if path.suffix == ".onnx":
        import onnx

        return {one.key: one.value for one in onnx.load(path).metadata_props}
    entries: object = {}
    if path.suffix not in (".pt", ".pt2"):
        return {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(f"/{METADATA_FILE}"):
                with suppress(ValueError, RecursionError):
                    entries = json.loads(archive.read(name))
    return entries if isinstance(entries, dict) else {}


@dataclass(frozen=True)
class Metadata:
    """What somebody who finds the file needs to know.

    Attributes:
        title: The model's display name, e.g. ``Custom CNN``.
        dataset: Name of the dataset it was trained and tested on.
        test_accuracy: Its accuracy on that dataset's test images, 0 to 1.
        test_images: Number of these images.
        trained_commit: Git commit of the source that trained it; null outside a checkout.
        exported_commit: Git commit of the source that wrote the file; null outside a checkout.
        dirty: Whether tracked source files differed from ``exported_commit``; null without one.
        command: The command that wrote the file.
        temperature: The divisor that is part of the network's last layer, so that softmax of the
            logits is calibrated; None if it is not.
        validation_images: Number of images that the temperature was fitted on.
        precision: The numbers that the file computes with.
    """

    title: str
    dataset: str
    test_accuracy: float
    test_images: int
    trained_commit: str | None
    exported_commit: str | None
    dirty: bool | None
    command: str
    temperature: float | None
    validation_images: int
    precision: str = "float32"

    def entries(self) -> dict[str, str]:
        """Return the entries as ONNX and TorchScript store them: strings by name."""
        return {
            "title": self.title,
            "classes": json.dumps(CLASS_NAMES),
            "input": INPUT,
            "output": OUTPUT,
            "precision": self.precision,
            **self.calibration(),
            "dataset": self.dataset,
            "test_accuracy": f"{self.test_accuracy:.6f}",
            "test_images": str(self.test_images),
            "trained_commit": self.trained_commit or "unknown",
            "exported_commit": f"{self.exported_commit or 'unknown'}{'+' if self.dirty else ''}",
            "command": self.command,
            "licence": "MIT",
        }

    def calibration(self) -> dict[str, str]:
        """Return the entries about the probabilities, which files of weights contain as well."""
        if self.temperature is None:
            return {"temperature": NOT_CALIBRATED, "calibration": NOT_CALIBRATED}
        return {
            "temperature": f"{self.temperature:.6f}",
            "calibration": "softmax of the logits is calibrated: they are divided by the "
            f"temperature, which was fitted on {self.validation_images:,} validation images",
        }

    def to_json(self) -> str:
        """Return the entries as one JSON object, for formats that store extra files."""
        return json.dumps(self.entries(), indent=2)


@dataclass(frozen=True, eq=False)
class ExportSource:
    """A network to export, with its description and the images to compare the files on.

    Attributes:
        network: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``.
        name: Where its weights come from: the name of a file, or ``training``.
        model: Its description.
        trained_on: The dataset of its training.
        training: How it was trained.
        accuracy: Its accuracy on the test images of ``trained_on``, 0 to 1.
        temperature: See :class:`Metadata`.
        command: The command that writes the files.
        test: The images to compare the files on, with their labels.
        dataset: Name of the dataset that contains these images.
        fingerprint: SHA-256 over the whole dataset.
        calibration: uint8 ``(M, 1, 28, 28)``, training images.
        environment: Where the files are written.
    """

    network: nn.Module
    name: str
    model: NetworkDescription
    trained_on: DatasetDescription
    training: Training
    accuracy: float
    temperature: float | None
    command: str
    test: Digits
    dataset: str
    fingerprint: str
    calibration: Tensor
    environment: Environment

    @property
    def metadata(self) -> Metadata:
        """The description for the files."""
        return Metadata(
            title=self.model.title,
            dataset=self.trained_on.name,
            test_accuracy=self.accuracy,
            test_images=self.trained_on.test,
            trained_commit=self.training.commit,
            exported_commit=self.environment.commit,
            dirty=self.environment.dirty,
            command=self.command,
            temperature=self.temperature,
            validation_images=self.trained_on.validation,
        )
