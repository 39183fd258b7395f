"""The record of a training: one JSON file that says what was trained, how, and how well it does.

:class:`Record` and the dataclasses it is made of are the schema; each documents its keys.
``SCHEMA_VERSION`` is raised whenever a key is added, removed, renamed or changes its meaning, and
a reader accepts its own version only. All shares are between 0 and 1, never percent.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from mnist_lightning.errors import OutputError
from mnist_lightning.evaluation.decoding import DecodingError, decode
from mnist_lightning.evaluation.environment import Environment
from mnist_lightning.evaluation.latency import Latency
from mnist_lightning.evaluation.metrics import DetailedMetrics, Metrics
from mnist_lightning.evaluation.schema import (
    DatasetDescription,
    ExportParity,
    FileDescription,
    ModelDescription,
    Training,
)
from mnist_lightning.storage import atomic_path

SCHEMA_VERSION = 1


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
            another precision.
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

    def to_json(self) -> str:
        """Format the record.

        Returns:
            JSON in the order of the fields, indented by two spaces, lists of numbers on one line
            each, with a newline at the end.

        Raises:
            ValueError: A number is not finite.
        """
        text = json.dumps(asdict(self), indent=2, allow_nan=False)
        # A JSON string cannot hold a line break, so that this only meets lists of numbers.
        return re.sub(r"\[\n[\s\d.,eE+-]*\]", _on_one_line, text) + "\n"

    def write(self, path: Path) -> None:
        """Write the record to a file, which is replaced in one step.

        Args:
            path: Where to.

        Raises:
            OSError: The file cannot be written; the old one is left as it was.
            ValueError: A number is not finite.
        """
        text = self.to_json()
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


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
    remedy = f"make it with `python scripts/train.py --model {preset}`"
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise OutputError(f"There is no record {path}: {remedy}.") from None
    except OSError as error:
        raise OutputError(
            f"The record {path} cannot be read ({error.strerror}): mend that, or {remedy} again."
        ) from None
    except (ValueError, RecursionError) as error:
        raise OutputError(f"{path} is not a JSON file ({error}): {remedy} again.") from None
    found = document.get("schema_version") if isinstance(document, dict) else None
    if type(found) is int and found != SCHEMA_VERSION:
        raise OutputError(
            f"The record {path} has schema version {found}; this program reads version "
            f"{SCHEMA_VERSION}: {remedy} again."
        )
    try:
        record: Record = decode(Record, document)
    except DecodingError as error:
        raise OutputError(f"{path} is not a sound record: {error}; {remedy} again.") from None
    return record


def _on_one_line(numbers: re.Match[str]) -> str:
    return " ".join(numbers.group().split()).replace("[ ", "[").replace(" ]", "]")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
