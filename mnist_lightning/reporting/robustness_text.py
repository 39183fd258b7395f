"""Robustness as text: for the terminal and for the technical report."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from mnist_lightning.records.record import dataset_label
from mnist_lightning.reporting.comparison_rows import percent
from mnist_lightning.reporting.comparison_text import table, under_corruptions
from mnist_lightning.robustness.error_rates import RobustModel, Robustness

WIDTH = 100
LABEL_WIDTH = 24
COLUMN = 14
BEST = "*"
Row = tuple[str, list[float | None]]


def robustness_summary(record: Robustness, files: Sequence[Path]) -> str:
    """Sum up a record for the terminal.

    Args:
        record: The record.
        files: What was written, in one folder.

    Returns:
        Lines of at most 100 columns, unless a folder's name is longer. No newline at the end.
    """
    lines = [robustness_heading(record), "error rates in %; * marks the lowest of a row", ""]
    width = max(COLUMN, *(len(model.name) + 2 for model in record.models))
    at_once = max((WIDTH - LABEL_WIDTH) // width, 1)
    for start in range(0, len(record.models), at_once):
        shown = slice(start, start + at_once)
        names = "".join(f"{model.name:>{width}}" for model in record.models[shown])
        lines.append(" " * LABEL_WIDTH + names)
        for label, values in rows(record):
            cells = "".join(f"{cell:>{width}}" for cell in _cells(values)[shown])
            lines.append(f"{label:<{LABEL_WIDTH}}{cells}")
        lines.append("")
    names = ", ".join(path.name for path in files)
    return "\n".join([*lines, *textwrap.wrap(f"Written to {files[0].parent}: {names}", WIDTH)])


def robustness_heading(record: Robustness) -> str:
    """Say what was measured on what."""
    images = f"{record.images:,} test images"
    if record.images < record.test:
        images = f"a stratified random {record.images:,} of {record.test:,} test images"
    count = len(record.models)
    return f"{count} model{'s'[: count != 1]} on {images} of {_dataset(record)}"


def rows(record: Robustness) -> list[Row]:
    """List the error rates: label, and one value for each model."""

    def row(label: str, values: list[float | None]) -> Row:
        return label, values

    models = record.models
    corrupted = [
        row(title(name), [model.corruptions[name].rate for model in models])
        for name in models[0].corruptions
    ]
    return [
        row("Clean", [model.clean.rate for model in models]),
        *corrupted,
        row("Mean corruption error", [model.mean_corruption_error for model in models]),
        row(f"mCE against {models[0].name}"[:LABEL_WIDTH], [model.relative for model in models]),
    ]


def beside_clean_accuracy(record: Robustness) -> str:
    """Put the mean corruption error beside clean accuracy, for the models of a comparison.

    Args:
        record: The record, of these models alone.

    Returns:
        Lines of at most 100 columns.
    """
    lines = [
        f"  {model.name:<{LABEL_WIDTH}} clean accuracy {percent(1 - model.clean.rate)} %, "
        f"mean corruption error {percent(model.mean_corruption_error)} %"
        for model in record.models
    ]
    return "\n".join([f"{under_corruptions(record)} (robustness.json):", *lines])


def title(name: str) -> str:
    """Return a corruption's name for people."""
    return name.replace("_", " ").capitalize()


def report(record: Robustness) -> str:
    """Format the record as the part of the technical report that speaks of robustness."""
    tested = "all" if record.images == record.test else "a stratified random subset:"
    one = " Only one model was tried." if len(record.models) == 1 else ""
    place = (
        f"Error rates in % on {tested} {record.images:,} of {record.test:,} test images of "
        f"{_dataset(record)}, corruption seed {record.seed}, with Wilson's 95 % intervals.{one}"
    )
    body = [
        ["Clean", *(_with_interval(model, None) for model in record.models)],
        *(
            [title(name), *(_with_interval(model, name) for model in record.models)]
            for name in record.models[0].corruptions
        ),
        [
            "**Mean corruption error**",
            *(f"**{percent(model.mean_corruption_error)}**" for model in record.models),
        ],
        [
            f"mCE, {record.models[0].title} = 100",
            *("–" if m.relative is None else f"{100 * m.relative:.1f}" for m in record.models),
        ],
    ]
    return f"{place}\n\n{table(['', *(model.title for model in record.models)], body)}"


def _dataset(record: Robustness) -> str:
    return dataset_label(record.dataset, record.fingerprint)


def _with_interval(model: RobustModel, corruption: str | None) -> str:
    rate = model.clean if corruption is None else model.corruptions[corruption]
    return f"{percent(rate.rate)} ({percent(rate.interval.low)} to {percent(rate.interval.high)})"


def _cells(values: Sequence[float | None]) -> list[str]:
    known = [value for value in values if value is not None]
    best = min(known, default=None) if len(values) > 1 else None
    return [
        "–  " if value is None else f"{percent(value)}{BEST if value == best else ' '}"
        for value in values
    ]
