"""Several trainings of the same recipe: how far results move by the seed alone."""

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from scipy.stats import ttest_ind

from mnist_lightning.errors import UserError
from mnist_lightning.records.record import Record, read_record

_FILE = re.compile(r"seed_(\d+)_metrics\.json")


@dataclass(frozen=True)
class SeedSummary:
    """Test accuracies of one recipe over seeds.

    Attributes:
        model: The model's name.
        seeds: The seeds, ascending, at least two.
        accuracies: Test accuracy of each, 0 to 1.
        mean: Their mean.
        standard_deviation: Their sample standard deviation (divided by the number less one).
    """

    model: str
    seeds: tuple[int, ...]
    accuracies: tuple[float, ...]
    mean: float
    standard_deviation: float


@dataclass(frozen=True)
class SeedTest:
    """Welch's t test of two recipes' mean accuracies over seeds.

    Attributes:
        first: Name of the first model.
        second: Name of the second model.
        difference: Mean accuracy of the second minus that of the first, in shares.
        p: Two-sided p value, 0 to 1; null where neither recipe's accuracy varies at all.
    """

    first: str
    second: str
    difference: float
    p: float | None


@dataclass(frozen=True)
class SeedStudy:
    """What is known over seeds.

    Attributes:
        summaries: The models of which two or more seeds are there.
        tests: Every pair of these.
    """

    summaries: tuple[SeedSummary, ...]
    tests: tuple[SeedTest, ...]


def seed_folder(output_dir: Path, model: str) -> Path:
    """Return where the records of a model's seeds lie: ``<output_dir>/seeds/<model>``.

    Each is named ``seed_<N>_metrics.json`` and has the schema of every record.
    """
    return output_dir / "seeds" / model


def seed_is_complete(folder: Path, command: list[str]) -> bool:
    """Return whether a seed has been trained.

    Args:
        folder: The seed's folder, beside which its record is kept.
        command: The command line of its training, word by word.

    Raises:
        UserError: The record is of another command.
    """
    record = folder.with_name(f"{folder.name}_metrics.json")
    if not record.is_file():
        return False
    if list(read_record(record).training.command) != command:
        raise UserError(
            f"{record} is of another command; delete it to train this seed again, or choose "
            "another --output_dir"
        )
    return True


def read_seeds(output_dir: Path, record: Record) -> list[Record]:
    """Read the records of a model's seeds.

    Args:
        output_dir: Folder of the artefacts.
        record: The model's own record. Records of another dataset, other hyperparameters or
            another number of epochs are left out: they are not the same recipe.

    Returns:
        The records by seed; none where there are none.

    Raises:
        OutputError: A record is damaged or of another schema version.
    """
    folder = seed_folder(output_dir, record.model.name)
    if not folder.is_dir():
        return []
    paths = [path for path in folder.iterdir() if _FILE.fullmatch(path.name)]
    found = [read_record(path, record.model.preset) for path in paths]
    same = [other for other in found if recipe(other) == recipe(record)]
    return sorted(same, key=_seed)


def study_seeds(records: Mapping[str, Sequence[Record]]) -> SeedStudy:
    """Summarise trainings over seeds, and test every two models that have several.

    Args:
        records: Records of seeds by the model's name.

    Returns:
        The study; empty where no model has two seeds.
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
    """Test whether two recipes' mean accuracies differ, without assuming equal variances."""
    varies = first.standard_deviation > 0 or second.standard_deviation > 0
    p = ttest_ind(first.accuracies, second.accuracies, equal_var=False).pvalue if varies else None
    return SeedTest(
        first=first.model,
        second=second.model,
        difference=second.mean - first.mean,
        p=None if p is None else float(p),
    )


def recipe(record: Record) -> tuple[object, ...]:
    """Return what the trainings of one recipe have in common, as far as their records say."""
    model = record.model
    dataset = record.dataset.fingerprint
    return dataset, model.class_path, model.hyperparameters, model.weights, record.training.epochs


def _seed(record: Record) -> int:
    assert record.training.seed is not None, "an ensemble is not a seed"
    return record.training.seed
