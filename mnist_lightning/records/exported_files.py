"""The description of a model's exported files, ``<model>_exports.json``.

:class:`Exports` and the dataclasses in its fields are the schema. All shares are between 0 and 1.
"""

from dataclasses import dataclass
from pathlib import Path

from mnist_lightning.evaluation.parity import ExportParity
from mnist_lightning.files.identity import FileDescription
from mnist_lightning.files.json_document import read_document, write_document
from mnist_lightning.files.limits import (
    Argument,
    Change,
    Count,
    FileName,
    Name,
    NotNegative,
    Sha256,
    Share,
)

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class ExportedFile:
    """One file, loaded again and run on all test images.

    Attributes:
        file: The file.
        parity: Its logits compared with those of the float32 network it was made from.
        correct: Number of test images that it classifies correctly.
        accuracy: Share of the test images that it classifies correctly.
    """

    file: FileDescription
    parity: ExportParity
    correct: Count
    accuracy: Share


@dataclass(frozen=True)
class Quantisation:
    """The int8 file compared with the float one, both in ONNX Runtime, timed alternately.

    Attributes:
        file: The int8 file; null if it was not faster and therefore not kept.
        bytes: Its size.
        parity: Its logits compared with those of the network.
        correct: Number of test images that it classifies correctly.
        accuracy: Share of the test images that it classifies correctly.
        accuracy_change: Its accuracy minus that of the float file, -1 to 1.
        calibration_images: Number of training images on which its ranges were measured.
        threads: Number of threads of ONNX Runtime.
        rounds: Number of timed calls of each file with ``batch_size`` images; ten times as many
            with one image.
        speedup_single: Median over the rounds of the float file's time divided by its own, with
            one image per call.
        speedup_batched: The same with ``batch_size`` images per call.
        batch_size: Images per call of the second.
        processor: Name of the processor.
    """

    file: FileDescription | None
    bytes: Count
    parity: ExportParity
    correct: Count
    accuracy: Share
    accuracy_change: Change
    calibration_images: Count
    threads: Count
    rounds: Count
    speedup_single: NotNegative
    speedup_batched: NotNegative
    batch_size: Count
    processor: str


@dataclass(frozen=True)
class Exports:
    """All files of one model that were written together.

    Attributes:
        schema_version: Version of this schema.
        model: Prefix of the files, e.g. ``custom_cnn``.
        source: Name of the file with the weights they were made from, or ``training``.
        dataset: Name of the dataset on whose test images they were compared.
        fingerprint: SHA-256 over the whole dataset.
        commit: Git commit of the source that wrote them; null outside a checkout.
        dirty: Whether tracked source files differed from it; null without one.
        created: When, UTC, ISO 8601.
        command: The command that wrote them.
        versions: Versions of the packages that wrote them, by name.
        files: The files.
        quantisation: The int8 file; null if it was not requested.
    """

    schema_version: int
    model: Name
    source: FileName
    dataset: str
    fingerprint: Sha256
    commit: str | None
    dirty: bool | None
    created: str
    command: Argument
    versions: dict[str, str]
    files: tuple[ExportedFile, ...]
    quantisation: Quantisation | None

    def write(self, path: Path) -> None:
        """Write this to a JSON file, which is replaced in one step."""
        write_document(self, path)


def read_exports(path: Path) -> Exports:
    """Read a file written by :meth:`Exports.write`.

    Raises:
        OutputError: The file is missing, damaged or of another schema version.
    """
    return read_document(
        Exports,
        path,
        version=SCHEMA_VERSION,
        noun="description of exports",
        remedy="make it with `python scripts/export.py`",
    )
