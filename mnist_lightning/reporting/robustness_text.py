"""Robustness as text: for the terminal and for the technical report."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from mnist_lightning.comparison.conclusion import count
from mnist_lightning.records.record import dataset_label
from mnist_lightning.reporting.rendering import escape_markdown
from mnist_lightning.reporting.tables import UNKNOWN, Table, interval, percent, table, written
from mnist_lightning.robustness.error_rates import ErrorRate, Robustness


def robustness_summary(record: Robustness, files: Sequence[Path]) -> str:
    """Summarise a record for the terminal.

    Args:
        record: The record.
        files: What was written, in one folder.

    Returns:
        Lines of at most 100 columns, unless the folder's name is longer. No newline at the end.
    """
    names = [model.name for model in record.models]
    rates = rate_table(record, names, lambda one: percent(one.rate)).to_text()
    return (
        f"{robustness_heading(record)}\nerror rates in %; * marks the lowest of a row\n\n"
        f"{rates}\n\n{written(files)}"
    )


def robustness_heading(record: Robustness) -> str:
    """State what was measured on what."""
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
    corruptions = map(title, record.models[0].corruptions)
    rows = ["Clean", *corruptions, "Mean corruption error", f"mCE, {names[0]} = 100"]
    values, shown = [], []
    for model in record.models:
        rates = [model.clean, *model.corruptions.values()]
        means = [model.mean_corruption_error, model.relative]
        values.append([*(rate.rate for rate in rates), *means])
        shown.append([*map(show, rates), *(UNKNOWN if m is None else percent(m) for m in means)])
    numbers = pd.DataFrame(values, list(names), rows, dtype=float).T
    lowest = numbers.eq(numbers.min(axis=1), axis=0) & (len(names) > 1)
    return Table(numbers, pd.DataFrame(shown, list(names), rows, dtype=object).T, lowest)


def with_clean_accuracy(record: Robustness) -> Table:
    """Tabulate clean accuracy and mean corruption error, for the models of a comparison."""
    return table(
        {
            "Model": model.title,
            "Clean accuracy, %": percent(1 - model.clean.rate),
            "Mean corruption error, %": percent(model.mean_corruption_error),
        }
        for model in record.models
    )


def beside_clean_accuracy(record: Robustness) -> str:
    """Format the same table for the terminal."""
    rows = with_clean_accuracy(record).to_text()
    return f"{under_corruptions(record)} (robustness.json):\n{rows}"


def under_corruptions(record: Robustness) -> str:
    """State what the error rates of a record were measured on."""
    corruptions = count(len(record.models[0].corruptions), "corruption")
    return f"Under {corruptions} of {record.images:,} test images"


def title(name: str) -> str:
    """Return a corruption's name for people."""
    return name.replace("_", " ").capitalize()


def report(record: Robustness) -> str:
    """Format the record for the technical report, as Markdown."""
    tested = "all" if record.images == record.test else "a stratified random subset:"
    one = " Only one model was measured." if len(record.models) == 1 else ""
    rates = rate_table(record, [model.title for model in record.models], _with_interval)
    return (
        f"Error rates in % on {tested} {record.images:,} of {record.test:,} test images of "
        f"{escape_markdown(_dataset(record))}, corruption seed {record.seed}, with Wilson's 95 % "
        f"intervals; the lowest of a row is bold.{one}\n\n{rates.to_markdown()}"
    )


def _dataset(record: Robustness) -> str:
    return dataset_label(record.dataset, record.fingerprint)


def _with_interval(rate: ErrorRate) -> str:
    return f"{percent(rate.rate)} ({interval(rate.interval)})"
