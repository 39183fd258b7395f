"""Error rates on corrupted digits, and the record ``robustness.json`` that contains them.

They are plain error rates, not relative to a baseline as in Hendrycks and Dietterich
(arXiv:1903.12261): models of digits make so few errors under some corruptions that a ratio of two
counts is noise. One severity of each corruption is used, as in Mu and Gilmer (arXiv:1906.02337).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mnist_lightning.evaluation.rejection import Rejection
from mnist_lightning.files.identity import FileDescription
from mnist_lightning.files.json_document import read_document, write_document
from mnist_lightning.files.limits import Argument, Count, Name, Sha256, Share
from mnist_lightning.records.environment import Environment
from mnist_lightning.robustness.selective_errors import SelectiveErrorRate

ROBUSTNESS_VERSION = 2
#: Raised whenever the pixels of a corruption change. Version 1 deviated from MNIST-C in glass blur,
#: motion blur, shear, spatter, dotted lines and zigzags.
CORRUPTIONS_VERSION = 2
FILE_NAME = "robustness.json"


@dataclass(frozen=True)
class SweepPoint:
    """The error rate of a model at one strength of a distortion.

    Attributes:
        strength: The strength in the unit of the sweep; 0 is the clean image.
        error: The error rate.
    """

    strength: float
    error: SelectiveErrorRate


@dataclass(frozen=True)
class RobustModel:
    """The error rates of one model on clean and corrupted images.

    Attributes:
        name: Prefix of its files.
        title: Display title.
        file: The exported file that was measured.
        rejection: Its rule for giving no answer, as ``predict.py`` uses it; null without its
            validation predictions.
        clean: Error rate on the clean images.
        corruptions: Error rates on corrupted images, by the corruption's name.
        mean_error: Mean of the rates in ``corruptions``, 0 to 1.
        mean_coverage: Mean share of answered images in ``corruptions``; null without a rule.
        answered_error: Share of errors among all answered images in ``corruptions``; null without a
            rule, or if there are none.
        sweeps: Error rates by the sweep's name, in ascending strength from 0.
    """

    name: Name
    title: str
    file: FileDescription
    rejection: Rejection | None
    clean: SelectiveErrorRate
    corruptions: dict[str, SelectiveErrorRate]
    mean_error: Share
    mean_coverage: Share | None
    answered_error: Share | None
    sweeps: dict[str, tuple[SweepPoint, ...]]


@dataclass(frozen=True)
class Robustness:
    """The content of ``robustness.json``; its version is raised whenever a key changes.

    Attributes:
        schema_version: Version of this schema.
        corruptions_version: See ``CORRUPTIONS_VERSION``.
        dataset: Name of the dataset.
        fingerprint: SHA-256 over all its pixels and labels.
        images: Number of test images that were used.
        test: Number of all test images; if more than ``images``, a random stratified subset was
            used.
        seed: Seed of the corruptions and of the subset.
        models: The models, the baseline of the study first.
        command: The arguments of the command.
        libraries: Versions of the libraries on which the corruptions and the saliency depend.
        environment: The machine, the versions and the time of the measurement.
    """

    schema_version: int
    corruptions_version: int
    dataset: str
    fingerprint: Sha256
    images: Count
    test: Count
    seed: int
    models: tuple[RobustModel, ...]
    command: tuple[Argument, ...]
    libraries: dict[str, str]
    environment: Environment

    def write(self, path: Path) -> None:
        """Write the record to a JSON file atomically.

        Raises:
            OSError: The file cannot be written; an existing one stays unchanged.
        """
        write_document(self, path)


def read_robustness(path: Path) -> Robustness:
    """Read a record and check it against the schema.

    Raises:
        OutputError: The file is missing, damaged or of another schema version.
    """
    return read_document(
        Robustness,
        path,
        version=ROBUSTNESS_VERSION,
        noun="record",
        remedy="make it with `python scripts/robustness.py`",
    )


def read_robustness_of(path: Path, fingerprint: str, files: Mapping[str, str]) -> Robustness | None:
    """Read the part of a record that describes the files of a comparison.

    Args:
        path: The record; it may be missing.
        fingerprint: SHA-256 of the dataset on which the files are compared.
        files: SHA-256 of each exported file, by model name.

    Returns:
        The record with only the models of these files, in the order of ``files``; None if there are
        none or the dataset differs.

    Raises:
        OutputError: The record is damaged or of another schema version.
    """
    if not path.is_file():
        return None
    record = read_robustness(path)
    measured = {(model.name, model.file.sha256): model for model in record.models}
    models = tuple(measured[key] for key in files.items() if key in measured)
    return replace(record, models=models) if models and record.fingerprint == fingerprint else None
