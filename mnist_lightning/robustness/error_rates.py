"""What models make of corrupted digits: error rates, their mean, and that relative to a baseline.

Hendrycks and Dietterich: Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations (ICLR 2019, arXiv:1903.12261) define the mean corruption error, mCE; Mu and Gilmer
(arXiv:1906.02337) use one severity of each corruption, and so does this module.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mnist_lightning.evaluation.metrics import Interval, wilson_interval
from mnist_lightning.files.identity import FileDescription
from mnist_lightning.files.json_document import read_document, write_document
from mnist_lightning.records.environment import Environment

ROBUSTNESS_VERSION = 1
FILE_NAME = "robustness.json"


@dataclass(frozen=True)
class ErrorRate:
    """How often a model is wrong.

    Attributes:
        n: Number of images.
        errors: Number of those whose largest logit is not that of the true digit.
        rate: ``errors / n``, 0 to 1.
        interval: Wilson's 95 % interval of ``rate``.
    """

    n: int
    errors: int
    rate: float
    interval: Interval


@dataclass(frozen=True)
class SweepPoint:
    """A model at one strength of a distortion.

    Attributes:
        strength: In the unit of the sweep; 0 is the clean image.
        error: How often it is wrong.
    """

    strength: float
    error: ErrorRate


@dataclass(frozen=True)
class RobustModel:
    """One model on clean and on corrupted images.

    Attributes:
        name: Prefix of its files.
        title: Its name for people.
        file: The exported file that was measured.
        clean: On the images as they are.
        corruptions: On corrupted images, by the corruption's name.
        mean_corruption_error: Mean of the rates in ``corruptions``, 0 to 1.
        relative: Mean over the corruptions of the rate divided by the baseline's, Hendrycks's
            mCE; 1 for the baseline. Null where the baseline made no error under a corruption.
        sweeps: By the name of the sweep, in growing strength, from 0.
    """

    name: str
    title: str
    file: FileDescription
    clean: ErrorRate
    corruptions: dict[str, ErrorRate]
    mean_corruption_error: float
    relative: float | None
    sweeps: dict[str, tuple[SweepPoint, ...]]


@dataclass(frozen=True)
class Robustness:
    """The record in ``robustness.json``; its version is raised whenever a key changes.

    Attributes:
        schema_version: Version of this schema.
        dataset: Name of the dataset.
        fingerprint: SHA-256 over all its pixels and labels.
        images: Number of test images measured.
        test: Number of test images in all; if more than ``images``, a random stratified subset
            was measured.
        seed: Seed of the corruptions and of the subset.
        models: The models; the first is the baseline of ``relative``.
        command: The command line, word by word.
        libraries: Versions of the libraries that make the corruptions.
        environment: Where and when it was made.
    """

    schema_version: int
    dataset: str
    fingerprint: str
    images: int
    test: int
    seed: int
    models: tuple[RobustModel, ...]
    command: tuple[str, ...]
    libraries: dict[str, str]
    environment: Environment

    def write(self, path: Path) -> None:
        """Write the record to a file, which is replaced in one step.

        Raises:
            OSError: The file cannot be written; the old one is left as it was.
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
    """Read the part of a record that is about the files of a comparison.

    Args:
        path: The record, which need not exist.
        fingerprint: SHA-256 of the dataset that the files are compared on.
        files: SHA-256 of each exported file, by the model's name.

    Returns:
        The record with those models alone that are these files, in the comparison's order; None
        where there are none of them.

    Raises:
        OutputError: The record is damaged or of another schema version.
    """
    if not path.is_file():
        return None
    record = read_robustness(path)
    tried = {(model.name, model.file.sha256): model for model in record.models}
    models = tuple(tried[key] for key in files.items() if key in tried)
    return replace(record, models=models) if models and record.fingerprint == fingerprint else None


def error_rate(errors: int, n: int) -> ErrorRate:
    """Describe ``errors`` among ``n`` images."""
    return ErrorRate(n, errors, errors / n, wilson_interval(errors, n))


def relative_error(
    model: Mapping[str, ErrorRate], baseline: Mapping[str, ErrorRate]
) -> float | None:
    """Compute Hendrycks's mCE as a share: the mean of the quotients of two models' error rates.

    Returns:
        1 if they are equal on average; None where the baseline made no error under a corruption.
    """
    if not all(rate.errors for rate in baseline.values()):
        return None
    return float(np.mean([model[name].rate / rate.rate for name, rate in baseline.items()]))


def mean_error(rates: Sequence[ErrorRate]) -> float:
    """Return the unweighted mean of error rates."""
    return float(np.mean([rate.rate for rate in rates]))
