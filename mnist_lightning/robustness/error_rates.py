"""Error rates on corrupted digits, and the record ``robustness.json`` that contains them.

The mean corruption error, mCE, is that of Hendrycks and Dietterich: Benchmarking Neural Network
Robustness to Common Corruptions and Perturbations (ICLR 2019, arXiv:1903.12261). One severity of
each corruption is used, as in Mu and Gilmer (arXiv:1906.02337).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mnist_lightning.evaluation.metrics import Interval, wilson_interval
from mnist_lightning.files.identity import FileDescription
from mnist_lightning.files.json_document import read_document, write_document
from mnist_lightning.files.limits import Argument, Count, Name, Sha256, Share
from mnist_lightning.records.environment import Environment

ROBUSTNESS_VERSION = 1
FILE_NAME = "robustness.json"


@dataclass(frozen=True)
class ErrorRate:
    """The error rate of a model on a set of images.

    Attributes:
        n: Number of images.
        errors: Number of misclassified images.
        rate: ``errors / n``, 0 to 1.
        interval: Wilson's 95 % interval of ``rate``.
    """

    n: Count
    errors: Count
    rate: Share
    interval: Interval


@dataclass(frozen=True)
class SweepPoint:
    """The error rate of a model at one strength of a distortion.

    Attributes:
        strength: The strength in the unit of the sweep; 0 is the clean image.
        error: The error rate.
    """

    strength: float
    error: ErrorRate


@dataclass(frozen=True)
class RobustModel:
    """The error rates of one model on clean and corrupted images.

    Attributes:
        name: Prefix of its files.
        title: Display title.
        file: The exported file that was measured.
        clean: Error rate on the clean images.
        corruptions: Error rates on corrupted images, by the corruption's name.
        mean_corruption_error: Mean of the rates in ``corruptions``, 0 to 1.
        relative: Mean over the corruptions of the rate divided by the baseline's, Hendrycks's mCE;
            1 for the baseline. Null if the baseline makes no errors under some corruption.
        sweeps: Error rates by the sweep's name, in ascending strength from 0.
    """

    name: Name
    title: str
    file: FileDescription
    clean: ErrorRate
    corruptions: dict[str, ErrorRate]
    mean_corruption_error: Share
    relative: float | None
    sweeps: dict[str, tuple[SweepPoint, ...]]


@dataclass(frozen=True)
class Robustness:
    """The content of ``robustness.json``; its version is raised whenever a key changes.

    Attributes:
        schema_version: Version of this schema.
        dataset: Name of the dataset.
        fingerprint: SHA-256 over all its pixels and labels.
        images: Number of test images that were used.
        test: Number of all test images; if more than ``images``, a random stratified subset was
            used.
        seed: Seed of the corruptions and of the subset.
        models: The models; the first is the baseline of ``relative``.
        command: The arguments of the command.
        libraries: Versions of the libraries on which the corruptions depend.
        environment: The machine, the versions and the time of the measurement.
    """

    schema_version: int
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


def error_rate(errors: int, n: int) -> ErrorRate:
    """Build the error rate of ``errors`` among ``n`` images."""
    return ErrorRate(n, errors, errors / n, wilson_interval(errors, n))


def relative_error(
    model: Mapping[str, ErrorRate], baseline: Mapping[str, ErrorRate]
) -> float | None:
    """Compute Hendrycks's mCE: the mean over the corruptions of the ratio of two error rates.

    Returns:
        The mean ratio; None if the baseline makes no errors under some corruption.
    """
    if not all(rate.errors for rate in baseline.values()):
        return None
    return float(np.mean([model[name].rate / rate.rate for name, rate in baseline.items()]))
