"""What is known about the files a model was exported to: ``<model>_exports.json``.

:class:`Exports` and the dataclasses it is made of are the schema. All shares are between 0 and 1.
"""

from dataclasses import dataclass
from pathlib import Path

from mnist_lightning.evaluation.parity import ExportParity
from mnist_lightning.files.identity import FileDescription
from mnist_lightning.files.json_document import read_document, write_document

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class ExportedFile:
    """One file, loaded again and run on all test images.

    Attributes:
        file: The file.
        parity: Its logits against those of the network in float32 that it was made from.
        correct: Number of test images that it reads right.
        accuracy: Share of the test images that it reads right.
    """

    file: FileDescription
    parity: ExportParity
    correct: int
    accuracy: float


@dataclass(frozen=True)
class Quantisation:
    """The int8 file against the float one, both in ONNX Runtime, timed in turns.

    Attributes:
        file: The int8 file; null where it was not faster and therefore not kept.
        bytes: Its size.
        parity: Its logits against those of the network.
        correct: Number of test images that it reads right.
        accuracy: Share of the test images that it reads right.
        accuracy_change: Its accuracy minus that of the float file, -1 to 1.
        calibration_images: Number of training images its ranges were taken from.
        threads: Threads that ONNX Runtime used.
        rounds: Timed calls of each file, for each batch size.
        speedup_single: Median over the rounds of how many times faster it was, one image a call.
        speedup_batched: The same with ``batch_size`` images a call.
        batch_size: Images a call of the second.
        processor: Name of the processor.
    """

    file: FileDescription | None
    bytes: int
    parity: ExportParity
    correct: int
    accuracy: float
    accuracy_change: float
    calibration_images: int
    threads: int
    rounds: int
    speedup_single: float
    speedup_batched: float
    batch_size: int
    processor: str


@dataclass(frozen=True)
class Exports:
    """All files of one model that this version of the program wrote.

    Attributes:
        schema_version: Version of this schema.
        model: Prefix of the files, e.g. ``custom_cnn``.
        source: Name of the file the weights came from, or ``training``.
        dataset: Name of the dataset whose test images they were compared on.
        fingerprint: SHA-256 over all of that dataset.
        commit: Git commit of the source that wrote them; null outside a checkout.
        dirty: Whether tracked source files differed from it; null without one.
        created: When, UTC, ISO 8601.
        command: The command that wrote them.
        versions: Versions of the packages that wrote them, by name.
        files: The files.
        quantisation: The int8 file; null where it was not asked for.
    """

    schema_version: int
    model: str
    source: str
    dataset: str
    fingerprint: str
    commit: str | None
    dirty: bool | None
    created: str
    command: str
    versions: dict[str, str]
    files: tuple[ExportedFile, ...]
    quantisation: Quantisation | None

    def write(self, path: Path) -> None:
        """Write this to a JSON file, which is replaced in one step."""
        write_document(self, path)


def read_exports(path: Path) -> Exports:
    """Read what :meth:`Exports.write` wrote.

    Raises:
        OutputError: The file is missing, damaged or of another schema version.
    """
    return read_document(
        Exports,
        path,
        version=SCHEMA_VERSION,
        noun="account of exports",
        remedy="make it with `python scripts/export.py`",
    )
