"""The description of a model's exported files, ``<model>_exports.json``.

:class:`Exports` and the dataclasses in its fields are the schema. All shares are between 0 and 1.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

SCHEMA_VERSION = 2
#: Names of the formats with less precise numbers.
INT8 = "ONNX int8"
BFLOAT16 = "TorchScript bfloat16"


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
class ReducedPrecision:
    """A file with less precise numbers compared with the float32 one, timed alternately.

    Attributes:
        file: The file; null if it was not worth it and therefore not kept.
        bytes: Its size.
        parity: Its logits compared with those of the network; ``format`` is ``INT8`` or
            ``BFLOAT16``.
        correct: Number of test images that it classifies correctly.
        accuracy: Share of the test images that it classifies correctly.
        accuracy_change: Its accuracy minus that of the float32 file, -1 to 1.
        calibration_images: Number of training images on which its ranges were measured; 0 if it
            has none.
        threads: Number of threads.
        rounds: Number of timed calls of each file with ``batch_size`` images; ten times as many
            with one image.
        speedup_single: Median over the rounds of the float32 file's time divided by its own, with
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

    @property
    def is_worth_it(self) -> bool:
        """Whether it is faster: int8 always, bfloat16 with batches, where no digit changes."""
        if self.parity.format == BFLOAT16:
            return self.speedup_batched > 1 and self.parity.argmax_agreement == 1
        return min(self.speedup_single, self.speedup_batched) > 1


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
        bfloat16: The bfloat16 file; null if it was not requested.
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
    quantisation: ReducedPrecision | None
    bfloat16: ReducedPrecision | None

    @property
    def reduced(self) -> tuple[ReducedPrecision, ...]:
        """The files with less precise numbers that were tried."""
        return tuple(one for one in (self.quantisation, self.bfloat16) if one is not None)

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
        upgrade=_upgrade,
    )


def _upgrade(document: dict[str, Any]) -> None:
    """Convert version 1, which had no bfloat16 file."""
    version = document.get("schema_version")
    # In Python, but not in JSON, true equals 1.
    if type(version) is int and version == 1:
        document |= {"schema_version": SCHEMA_VERSION, "bfloat16": None}
