"""Robustness as text: for the terminal and for the technical report."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from mnist_lightning.comparison.titles import short_titles
from mnist_lightning.records.record import dataset_label
from mnist_lightning.reporting.rendering import escape_markdown
from mnist_lightning.reporting.tables import (
    UNKNOWN,
    Table,
    interval,
    paragraphs,
    percent,
    table,
    texts,
    written,
)
from mnist_lightning.robustness.error_rates import CORRUPTIONS_VERSION, RobustModel, Robustness
from mnist_lightning.robustness.selective_errors import ErrorRate
from mnist_lightning.terminal.wording import count

REJECTION = (
    "With each model's threshold below which predict.py gives no answer: images answered / wrong "
    "answers among these, in %"
)
ANSWERED = "Answered / wrong: images above a model's threshold for an answer / errors among these."
EARLIER = (
    "These were measured with an earlier version of the corruptions, in which glass blur, motion "
    "blur, shear, spatter, dotted line and zigzag deviated from MNIST-C: "
    "`python scripts/robustness.py` measures them again."
)


def robustness_summary(record: Robustness, files: Sequence[Path]) -> str:
    """Summarise a record for the terminal.

    Args:
        record: The record.
        files: What was written, in one folder.

    Returns:
        Lines of at most 100 columns, unless the folder's name is longer. No newline at the end.
    """
    names = [model.name for model in record.models]

    def show(rate: ErrorRate) -> str:
        return percent(rate.rate)

    parts = [
        f"{robustness_heading(record)}\nerror rates in %; * marks the lowest of a row",
        rate_table(record, names, show).to_text(),
    ]
    if has_rejection(record):
        answered = answered_table(record, names, show).to_text()
        parts += [paragraphs([f"{REJECTION}."]), answered]
    return "\n\n".join([*parts, written(files)])


def robustness_heading(record: Robustness) -> str:
    """Name the number of models and the test images."""
    images = f"{record.images:,} test images"
    if record.images < record.test:
        images = f"a stratified random {record.images:,} of {record.test:,} test images"
    return f"{count(len(record.models), 'model')} on {images} of {_dataset(record)}"


def rate_table(record: Robustness, names: Sequence[str], show: Callable[[ErrorRate], str]) -> Table:
    """Tabulate error rates: a row for each corruption, a column for each model.

    Args:
        record: The record.
        names: What to call the models.
        show: Formats an error rate.
    """
    values, shown = [], []
    for model in record.models:
        rates = [model.clean, *model.corruptions.values()]
        values.append([*(rate.rate for rate in rates), model.mean_error])
        shown.append([*map(show, rates), percent(model.mean_error)])
    rows = _rows(record, "Mean of")
    numbers = pd.DataFrame(values, list(names), rows, dtype=float).T
    lowest = numbers.eq(numbers.min(axis=1), axis=0) & (len(names) > 1)
    return Table(numbers, pd.DataFrame(shown, list(names), rows, dtype=object).T, lowest)


def answered_table(
    record: Robustness, names: Sequence[str], show: Callable[[ErrorRate], str]
) -> Table:
    """Tabulate what is answered: a row for each corruption, a column for each model.

    Args:
        record: The record.
        names: What to call the models.
        show: Formats the error rate on the answered images.

    Returns:
        Each cell has the share answered and the share of errors among these; not known for models
        without a rejection rule, and the latter not where nothing is answered.
    """
    cells = [
        [
            _answered(rate.coverage, show(rate.answered) if rate.answered else UNKNOWN)
            for rate in (model.clean, *model.corruptions.values())
        ]
        + [_all_answered(model)]
        for model in record.models
    ]
    # Not by the names, which may be equal.
    values = pd.DataFrame(cells, list(names), _rows(record, "All"), dtype=object).T
    return Table(values, texts(values), pd.DataFrame(False, values.index, values.columns))


def _all_answered(model: RobustModel) -> str | None:
    error = model.answered_error
    return _answered(model.mean_coverage, UNKNOWN if error is None else percent(error))


def _answered(coverage: float | None, wrong: str) -> str | None:
    return None if coverage is None else f"{percent(coverage)} / {wrong}"


def has_rejection(record: Robustness) -> bool:
    """Return whether it is known what at least one model answers."""
    return any(model.rejection for model in record.models)


def _rows(record: Robustness, last: str) -> list[str]:
    corruptions = record.models[0].corruptions
    return ["Clean", *map(title, corruptions), f"{last} {count(len(corruptions), 'corruption')}"]


def with_clean_error(record: Robustness) -> Table:
    """Tabulate clean and mean error, and what is answered, for the models of a comparison."""
    answered, titles = has_rejection(record), short_titles(record.models)
    return table(
        {
            "Model": titles[model.name],
            "Clean error, %": percent(model.clean.rate),
            "Mean error, %": percent(model.mean_error),
            **({"Answered / wrong, %": _all_answered(model)} if answered else {}),
        }
        for model in record.models
    )


def beside_clean_error(record: Robustness) -> str:
    """Format the same table for the terminal."""
    rows, note = with_clean_error(record).to_text(), answered_note(record)
    parts = [f"{under_corruptions(record)} (robustness.json):\n{rows}", *([note] if note else ())]
    return "\n".join(parts)


def under_corruptions(record: Robustness) -> str:
    """State what the error rates of a record were measured on."""
    corruptions = count(len(record.models[0].corruptions), "corruption")
    return f"Under {corruptions} of {record.images:,} test images"


def answered_note(record: Robustness) -> str:
    """Explain the column of that table on what is answered; empty if there is none."""
    return ANSWERED if has_rejection(record) else ""


def title(name: str) -> str:
    """Return a corruption's name for people."""
    return name.replace("_", " ").capitalize()


def report(record: Robustness) -> str:
    """Format the record for the technical report, as Markdown."""
    tested = "all" if record.images == record.test else "a stratified random subset:"
    one = " Only one model was measured." if len(record.models) == 1 else ""
    titles = [*short_titles(record.models).values()]
    parts = [
        f"Error rates in % on {tested} {record.images:,} of {record.test:,} test images of "
        f"{escape_markdown(_dataset(record))}, corruption seed {record.seed}, with Wilson's 95 % "
        f"intervals; the lowest of a row is bold.{one}",
        rate_table(record, titles, _with_interval).to_markdown(),
    ]
    if has_rejection(record):
        answered = answered_table(record, titles, _with_interval).to_markdown()
        parts += [f"{REJECTION}, with Wilson's 95 % intervals of the latter.", answered]
    if record.corruptions_version < CORRUPTIONS_VERSION:
        parts.insert(1, EARLIER)
    return "\n\n".join(parts)


def _dataset(record: Robustness) -> str:
    return dataset_label(record.dataset, record.fingerprint)


def _with_interval(rate: ErrorRate) -> str:
    return f"{percent(rate.rate)} ({interval(rate.interval)})"
