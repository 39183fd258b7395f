"""The generated parts of the technical report, made of nothing but records."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from mnist_lightning.comparison.conclusion import in_sentence
from mnist_lightning.comparison.schema import Comparison
from mnist_lightning.comparison.seed_study import SeedStudy
from mnist_lightning.records.record import Record
from mnist_lightning.reporting import report_comparison, report_records, robustness_text
from mnist_lightning.reporting.comparison_rows import percent
from mnist_lightning.reporting.comparison_text import table
from mnist_lightning.robustness.error_rates import Robustness

TRAIN_FIRST = "There is no record yet: `python scripts/train.py --model cnn` makes one."
COMPARE_FIRST = (
    "There is no comparison yet: `python scripts/compare.py` makes it once two models are trained."
)
CORRUPT_FIRST = (
    "Robustness has not been measured yet: `python scripts/robustness.py` does it once a model "
    "is trained."
)


@dataclass(frozen=True)
class Evidence:
    """All that the report may speak of.

    Attributes:
        records: The records of the trained models, the CNN first.
        comparison: The comparison of these, or None where there is none.
        seeds: What is known over several trainings of the same recipe.
        robustness: What the models make of corrupted digits, or None where it was not measured.
    """

    records: tuple[Record, ...]
    comparison: Comparison | None
    seeds: SeedStudy
    robustness: Robustness | None = None


def report_blocks(evidence: Evidence) -> dict[str, Callable[[], str]]:
    """List the generated parts.

    Args:
        evidence: What they are made of.

    Returns:
        For each part's name the function that makes its Markdown.
    """
    from_records: dict[str, Callable[[Sequence[Record]], str]] = {
        "data": report_records.data,
        "models": report_records.models,
        "training": report_records.training,
        "results": report_records.results,
        "errors": report_records.errors,
        "reproduce": report_records.reproduce,
        "versions": report_records.versions,
        "sonuclar": report_records.results_in_turkish,
    }
    from_comparison: dict[str, Callable[[Comparison], str]] = {
        "conclusion": report_comparison.conclusion,
        "differences": report_comparison.differences,
        "label-errors": report_comparison.label_errors,
        "calibration": partial(report_comparison.rows_of, group="Calibration"),
        "cost": partial(report_comparison.rows_of, group="Cost"),
        "latency": report_comparison.latency,
    }
    filled: dict[str, Callable[[], str]] = {
        "seeds": lambda: over_seeds(evidence),
        "robustness": partial(_from_robustness, evidence.robustness),
    }
    for name, make in from_records.items():
        filled[name] = partial(_from_records, make, evidence.records)
    for name, make_compared in from_comparison.items():
        filled[name] = partial(_from_comparison, make_compared, evidence.comparison)
    return filled


def _from_records(make: Callable[[Sequence[Record]], str], records: Sequence[Record]) -> str:
    return make(records) if records else TRAIN_FIRST


def _from_comparison(make: Callable[[Comparison], str], comparison: Comparison | None) -> str:
    return make(comparison) if comparison else COMPARE_FIRST


def _from_robustness(record: Robustness | None) -> str:
    return robustness_text.report(record) if record else CORRUPT_FIRST


def over_seeds(evidence: Evidence) -> str:
    """Table of the trainings with several seeds, or which models have only one."""
    titles = {record.model.name: record.model.title for record in evidence.records}
    repeated = {found.model for found in evidence.seeds.summaries}
    once = {record.model.name for record in evidence.records if not record.members} - repeated
    single = [in_sentence(title) for name, title in titles.items() if name in once]
    parts = []
    if repeated:
        rows = [
            [
                titles[found.model],
                ", ".join(map(str, found.seeds)),
                f"{percent(found.mean)} ± {percent(found.standard_deviation)} %",
            ]
            for found in evidence.seeds.summaries
        ]
        parts.append(table(["Model", "Seeds", "Test accuracy, mean ± standard deviation"], rows))
    if single:
        parts.append(f"Trained with one seed only: {', '.join(single)}.")
    return "\n\n".join(parts) or TRAIN_FIRST
