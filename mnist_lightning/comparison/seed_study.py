"""Statistics over several seeds of the same recipe."""

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from scipy.stats import ttest_ind

from mnist_lightning.errors import UserError
from mnist_lightning.files.identity import describe_file
from mnist_lightning.records.artefacts import RECORD, kept_files
from mnist_lightning.records.record import Record, read_record


@dataclass(frozen=True)
class SeedSummary:
    """Test accuracies of one recipe over seeds.

    Attributes:
        model: The model's name.
        seeds: The seeds, ascending, at least two.
        accuracies: Test accuracy of each seed, 0 to 1.
        mean: Mean of the accuracies.
        standard_deviation: Sample standard deviation of the accuracies (divisor n - 1).
    """

    model: str
    seeds: tuple[int, ...]
    accuracies: tuple[float, ...]
    mean: float
    standard_deviation: float


@dataclass(frozen=True)
class SeedTest:
    """Welch's t test of the mean accuracies of two recipes over seeds.

    Attributes:
        first: Name of the first model.
        second: Name of the second model.
        difference: Mean accuracy of the second minus that of the first, -1 to 1.
        p: Two-sided p value, 0 to 1; null if neither recipe's accuracy varies.
    """

    first: str
    second: str
    difference: float
    p: float | None


@dataclass(frozen=True)
class SeedStudy:
    """Results over seeds.

    Attributes:
        summaries: The models with two or more seeds.
        tests: The tests of all pairs of these.
    """

    summaries: tuple[SeedSummary, ...]
    tests: tuple[SeedTest, ...]


def seed_folder(output_dir: Path, model: str) -> Path:
    """Return the folder of the records of a model's seeds: ``<output_dir>/seeds/<model>``.

    The records are named ``seed_<N>_metrics.json``.
    """
    return output_dir / "seeds" / model


def recorded_seeds(folder: Path) -> list[int]:
    """Return the seeds whose records are in a folder, ascending; none if it is missing."""
    names = [re.fullmatch(rf"seed_(\d+){RECORD}", path.name) for path in folder.glob("*")]
    return sorted(int(found[1]) for found in names if found)


def seed_is_complete(folder: Path, command: list[str]) -> bool:
    """Return whether all files of a seed are there and belong together.

    Args:
        folder: The seed's folder; the files that are kept of it are next to it.
        command: The arguments of its training.

    Raises:
        UserError: The record was made by another command.
    """
    kept = kept_files(folder.parent, folder.name)
    path = kept[-1]
    if not path.is_file():
        return False
    record = read_record(path)
    if list(record.training.command) != command:
        raise UserError(
            f"{path} is of another command: choose another --output_dir, or delete it to train "
            "this seed again"
        )
    if record.training.train_loss is None:
        # An older version exported the weights of an epoch before the last one.
        return False
    described = (record.model.weights_file, record.model.file, record.predictions)
    return all(
        file.is_file() and one is not None and describe_file(file).sha256 == one.sha256
        for file, one in zip(kept, described, strict=False)
    )


def read_seeds(output_dir: Path, record: Record) -> list[Record]:
    """Read the records of a model's seeds.

    Args:
        output_dir: The output folder.
        record: The model's own record. Records of another recipe, with another dataset, other
            hyperparameters or another number of epochs, are ignored.

    Returns:
        The records in ascending order of their seeds; may be empty.

    Raises:
        OutputError: A record is damaged or of another schema version.
    """
    folder = seed_folder(output_dir, record.model.name)
    paths = [folder / f"seed_{seed}{RECORD}" for seed in recorded_seeds(folder)]
    found = [read_record(path, record.model.preset) for path in paths]
    return [other for other in found if recipe(other) == recipe(record)]


def study_seeds(records: Mapping[str, Sequence[Record]]) -> SeedStudy:
    """Summarise the models that have several seeds and test every pair of them.

    Args:
        records: The records of the seeds, by model name.

    Returns:
        The study; empty if no model has two seeds.
    """
    summaries = [summarise(name, found) for name, found in records.items() if len(found) >= 2]
    return SeedStudy(
        summaries=tuple(summaries),
        tests=tuple(compare_seeds(first, second) for first, second in combinations(summaries, 2)),
    )


def summarise(model: str, records: Sequence[Record]) -> SeedSummary:
    """Summarise the test accuracies of one recipe over at least two seeds."""
    accuracies = [record.test.accuracy for record in records]
    return SeedSummary(
        model=model,
        seeds=tuple(map(_seed, records)),
        accuracies=tuple(accuracies),
        mean=statistics.mean(accuracies),
        standard_deviation=statistics.stdev(accuracies),
    )


def compare_seeds(first: SeedSummary, second: SeedSummary) -> SeedTest:
    """Test whether the mean accuracies of two recipes differ, with Welch's t test."""
    p = None
    if first.standard_deviation > 0 or second.standard_deviation > 0:
        p = float(ttest_ind(first.accuracies, second.accuracies, equal_var=False).pvalue)
    return SeedTest(first.model, second.model, second.mean - first.mean, p)


def recipe(record: Record) -> tuple[object, ...]:
    """Return the fields of a record that all trainings of one recipe share."""
    model = record.model
    data = record.dataset.fingerprint, record.dataset.train
    start = model.weights, model.weights_origin
    return *data, model.class_path, model.hyperparameters, *start, record.training.epochs


def _seed(record: Record) -> int:
    assert record.training.seed is not None, "an ensemble has no seed"
    return record.training.seed
