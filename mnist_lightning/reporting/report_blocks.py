"""The generated blocks of the documents, made from records only."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mnist_lightning.comparison.schema import Comparison
from mnist_lightning.comparison.seed_study import SeedStudy
from mnist_lightning.comparison.titles import short_titles
from mnist_lightning.comparison.verdict import verdict
from mnist_lightning.evaluation.latency import TABLE_BATCH_SIZES
from mnist_lightning.learning_curve.curve_schema import LearningCurve
from mnist_lightning.learning_curve.finding import answer
from mnist_lightning.records.record import Record
from mnist_lightning.reporting import (
    learning_curve_text,
    record_tables,
    robustness_text,
    transfer_cost,
    turkish,
)
from mnist_lightning.reporting.comparison_tables import (
    cleaned_table,
    latency_table,
    overview,
    pair_table,
    side_by_side,
)
from mnist_lightning.reporting.comparison_text import quantity_markdown
from mnist_lightning.reporting.rendering import code_block, escape_markdown
from mnist_lightning.reporting.tables import percent, table
from mnist_lightning.reporting.vote_table import vote_table
from mnist_lightning.robustness.error_rates import Robustness

_VOTES = (
    "The votes of five people for the label, for the one other digit that they could choose and "
    "for neither, and the digit that each model predicts:"
)
TRAIN_FIRST = "There is no record yet: `python scripts/train.py --model cnn` makes one."
COMPARE_FIRST = (
    "There is no comparison yet: `python scripts/compare.py` makes it once two models are trained."
)
CORRUPT_FIRST = (
    "Robustness has not been measured yet: `python scripts/robustness.py` does it once a model "
    "is trained."
)

CURVE_FIRST = (
    "The learning curves have not been measured yet: `python scripts/learning_curve.py` does it."
)


@dataclass(frozen=True)
class Evidence:
    """Everything that the documents may state.

    Attributes:
        records: The records of the trained models, the CNN first.
        comparison: The comparison of these, or None if there is none.
        seeds: What is known over several trainings of the same recipe.
        robustness: How the models perform on corrupted digits, or None if it was not measured.
        curve: The errors against the number of labelled digits, or None if that was not measured.
    """

    records: tuple[Record, ...]
    comparison: Comparison | None
    seeds: SeedStudy
    robustness: Robustness | None = None
    curve: LearningCurve | None = None


def report_blocks(evidence: Evidence) -> dict[str, Callable[[], str]]:
    """List the generated blocks.

    Args:
        evidence: What they are made from.

    Returns:
        For each block's name the function that makes its Markdown.
    """
    from_records: dict[str, Callable[..., str]] = {
        **{name: partial(record_tables.block, name=name) for name in record_tables.COLUMNS},
        "versions": record_tables.versions,
    }
    from_comparison: dict[str, Callable[[Comparison, list[str]], str]] = {
        "conclusion": lambda found, _: "\n\n".join(map(escape_markdown, found.conclusion)),
        "differences": lambda found, titles: pair_table(found, titles).to_markdown(),
        "label-errors": _label_errors,
        "calibration": partial(_quantities, group="Calibration"),
        "cost": partial(_quantities, group="Cost"),
        "latency": _latency,
    }
    records, comparison, robustness = evidence.records, evidence.comparison, evidence.robustness
    titles = [*short_titles(comparison.models).values()] if comparison else []

    def block(otherwise: str, make: Callable[..., str], *sources: object) -> Callable[[], str]:
        return lambda: make(*sources) if sources[0] else otherwise

    return {
        **{name: block(TRAIN_FIRST, make, records) for name, make in from_records.items()},
        **{
            name: block(COMPARE_FIRST, make, comparison, titles)
            for name, make in from_comparison.items()
        },
        "verdict": block(COMPARE_FIRST, partial(_verdict, robustness), comparison),
        "overview": block(COMPARE_FIRST, _overview, comparison, titles, robustness),
        "sonuclar": block(COMPARE_FIRST, turkish.results, comparison, titles, robustness),
        "yanit": block(CURVE_FIRST, turkish.answer, evidence.curve),
        "seeds": lambda: over_seeds(evidence),
        "reproduce": lambda: _reproduce(evidence) if records else TRAIN_FIRST,
        "robustness": block(CORRUPT_FIRST, robustness_text.report, robustness),
        "answer": block(CURVE_FIRST, _answer, evidence.curve),
        "learning-curve": block(CURVE_FIRST, learning_curve_text.report, evidence.curve),
        "transfer-cost": block(CURVE_FIRST, transfer_cost.report, evidence.curve, comparison),
    }


def over_seeds(evidence: Evidence) -> str:
    """Tabulate the trainings with several seeds, and name the models that have only one."""
    titles = short_titles([record.model for record in evidence.records])
    repeated = {found.model for found in evidence.seeds.summaries}
    once = {record.model.name for record in evidence.records if not record.members} - repeated
    single = [escape_markdown(titles[name]) for name in titles if name in once]
    parts: list[str] = []
    if repeated:
        rows = table(
            {
                "Model": titles[found.model],
                "Seeds": ", ".join(map(str, found.seeds)),
                "Test accuracy, mean ± standard deviation": f"{percent(found.mean)} ± "
                f"{percent(found.standard_deviation)} %",
            }
            for found in evidence.seeds.summaries
        )
        parts.append(rows.to_markdown())
    if single:
        parts.append(f"Trained with one seed only: {', '.join(single)}.")
    return "\n\n".join(parts) or TRAIN_FIRST


def _verdict(robustness: Robustness | None, comparison: Comparison) -> str:
    return "\n\n".join(map(escape_markdown, verdict(comparison, robustness)))


def _overview(comparison: Comparison, titles: list[str], robustness: Robustness | None) -> str:
    return overview(comparison, titles, robustness).to_markdown()


def _answer(curve: LearningCurve) -> str:
    lines = [f"- {escape_markdown(sentence)}" for sentence in answer(curve)]
    weights = f"The pretrained weights are {curve.pretrained_weights}."
    return "\n".join([*lines, "", escape_markdown(weights)])


def _reproduce(evidence: Evidence) -> str:
    """List the commands that make the evidence again, with all seeds of a repeated training."""
    seeds = {found.model: found.seeds for found in evidence.seeds.summaries}
    commands = []
    for record in evidence.records:
        one = f"--seed_everything {record.training.seed}"
        every = f"--seeds {' '.join(map(str, seeds.get(record.model.name, ())))}"
        repeated = record.model.name in seeds and not record.members
        commands += [text.replace(one, every) if repeated else text for text in record.commands]
    compare = ["python scripts/compare.py"]
    if evidence.comparison is not None:
        compare += ["--models", *(model.name for model in evidence.comparison.models)]
    commands.append(" ".join(compare))
    if evidence.robustness is not None:
        commands.append(f"python scripts/robustness.py {shlex.join(evidence.robustness.command)}")
    return code_block(commands)


def _label_errors(comparison: Comparison, titles: list[str]) -> str:
    if not comparison.dataset.is_standard:
        name = escape_markdown(comparison.dataset.name)
        return f"{name} is not the standard MNIST: the list does not apply."
    votes = vote_table(comparison, titles).to_markdown()
    return f"{cleaned_table(comparison, titles).to_markdown()}\n\n{_VOTES}\n\n{votes}"


def _quantities(comparison: Comparison, titles: list[str], group: str) -> str:
    models = side_by_side(comparison, titles)
    return quantity_markdown(models.apply(lambda one: one.loc[:, [group]]))


def _latency(comparison: Comparison, titles: list[str]) -> str:
    machine = comparison.environment
    timings = latency_table(comparison, titles)
    rows = timings.values["Batch"].isin(TABLE_BATCH_SIZES).to_numpy()
    shown = timings.apply(lambda one: one[rows].drop(columns="Calls")).to_markdown()
    return (
        f"Milliseconds per image on {escape_markdown(machine.processor)} "
        f"({machine.logical_cores} logical cores), torch {machine.versions['torch']}, all models "
        f"in turn in one run.\n\n{shown}"
    )
