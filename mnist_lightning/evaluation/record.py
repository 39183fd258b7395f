"""The record of a training: one JSON file that says what was trained, how, and how well it does.

:class:`Record` and the dataclasses it is made of are the schema; each documents its keys.
``SCHEMA_VERSION`` is raised whenever a key is added, removed, renamed or changes its meaning, and
a reader accepts its own version only. All shares are between 0 and 1, never percent.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from mnist_lightning.evaluation.decoding import decode
from mnist_lightning.evaluation.document import read_document, write_document
from mnist_lightning.evaluation.environment import Environment
from mnist_lightning.evaluation.latency import Latency
from mnist_lightning.evaluation.metrics import DetailedMetrics, Metrics
from mnist_lightning.evaluation.schema import (
    DatasetDescription,
    ExportParity,
    FileDescription,
    Members,
    ModelDescription,
    Training,
    making_command,
)

SCHEMA_VERSION = 1
SUFFIX = "_metrics.json"


@dataclass(frozen=True)
class Record:
    """All that is known about one trained and exported model.

    Attributes:
        schema_version: Version of this schema.
        model: What was trained.
        dataset: What it was trained, selected and tested on.
        training: How it was trained.
        validation: The exported model on the validation images. The best epoch was selected on
            them, so that they flatter it.
        test: The exported model on the test images: the result.
        trainer_test: What Lightning's ``Trainer.test`` said of the best checkpoint on the same
            test images, by metric; it may differ in the last digits where training ran in
            another precision. Empty for an ensemble, which no Trainer has seen.
        export: The exported file against the network it came from.
        predictions: The file with the probabilities behind ``validation`` and ``test``.
        latency: Inference time of the exported model on the CPU.
        environment: Where and when the record was made.
    """

    schema_version: int
    model: ModelDescription
    dataset: DatasetDescription
    training: Training
    validation: Metrics
    test: DetailedMetrics
    trainer_test: dict[str, float]
    export: ExportParity
    predictions: FileDescription
    latency: Latency
    environment: Environment

    def __post_init__(self) -> None:
        """Refuse an ensemble that does not say what it is made of, with a ``DecodingError``."""
        _ = self.members

    @property
    def members(self) -> Members | None:
        """What an ensemble is made of; None for a model that was trained once."""
        if self.training.seed is not None:
            return None
        key = "model.hyperparameters"
        members: Members = decode(Members, self.model.hyperparameters, key)
        return members

    @property
    def making_command(self) -> str:
        """The command that makes the model and its files again."""
        return making_command(self.model.name, self.model.preset or "NAME")

    def write(self, path: Path) -> None:
        """Write the record to a JSON file, which is replaced in one step.

        Args:
            path: Where to.

        Raises:
            OSError: The file cannot be written; the old one is left as it was.
            ValueError: A number is not finite.
        """
        write_document(self, path)


def describe_file(path: Path) -> FileDescription:
    """Describe a file that belongs to a record.

    Args:
        path: An existing file.

    Returns:
        Its name, size and hash.
    """
    content = path.read_bytes()
    return FileDescription(path.name, len(content), hashlib.sha256(content).hexdigest())


def read_record(path: Path, preset: str = "NAME") -> Record:
    """Read a record and check it against the schema.

    Args:
        path: A file that :meth:`Record.write` wrote.
        preset: What ``--model`` takes to make the file again, for messages.

    Returns:
        The record.

    Raises:
        OutputError: The file is missing, not JSON, of another schema version, or a key in it is
            missing, unknown or of the wrong type. The message names the command that makes it.
    """
    remedy = f"make it with `{making_command(path.name.removesuffix(SUFFIX), preset)}`"
    return read_document(Record, path, version=SCHEMA_VERSION, noun="record", remedy=remedy)
