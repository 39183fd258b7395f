"""A comparison as text: for the terminal, as Markdown, as CSV."""

import csv
import io
import textwrap
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from mnist_lightning.comparison.conclusion import p_text, signed
from mnist_lightning.comparison.schema import ComparedPair, Comparison
from mnist_lightning.reporting.comparison_rows import Row, comparison_rows, percent
from mnist_lightning.robustness.error_rates import Robustness

WIDTH = 100
LABEL_WIDTH = 34
BEST = "*"
PAIR_HEADER = (
    "second minus first",
    "points",
    "95 % interval",
    "both right",
    "only first",
    "only second",
    "neither",
    "McNemar p",
    "adjusted p",
    "kappa",
)


def terminal_summary(comparison: Comparison, files: Sequence[Path]) -> str:
    """Sum up a comparison for the terminal.

    Args:
        comparison: The comparison.
        files: What was written, in one folder.

    Returns:
        Lines of at most 100 columns, unless a folder's name is longer. No newline at the end.
    """
    rows = [row for row in comparison_rows(comparison) if not _is_detail(row)]
    lines = [heading(comparison), "", *_table(comparison, rows), "", *_differences(comparison)]
    for sentence in comparison.conclusion:
        lines += ["", *textwrap.wrap(sentence, WIDTH)]
    names = ", ".join(path.name for path in files)
    lines += ["", *textwrap.wrap(f"Written to {files[0].parent}: {names}", WIDTH)]
    return "\n".join(lines)


def heading(comparison: Comparison) -> str:
    """Say what is compared on what."""
    dataset = comparison.dataset
    return (
        f"{len(comparison.models)} models on the same {dataset.test:,} test images of "
        f"{dataset.label}"
    )


def markdown(comparison: Comparison, robustness: Robustness | None = None) -> str:
    """Format a comparison as Markdown.

    Args:
        comparison: The comparison.
        robustness: What these models make of corrupted digits, if that is known.

    Returns:
        A document with a heading, tables and the conclusion.
    """
    return "\n".join(
        [
            f"# {heading(comparison)}",
            "",
            *(line for sentence in comparison.conclusion for line in (sentence, "")),
            "## Side by side",
            "",
            *side_by_side(comparison),
            "",
            "The best value of each row is bold.",
            "",
            "## Differences",
            "",
            *pair_table(comparison),
            "",
            f"Intervals: paired bootstrap, {comparison.bootstrap.resamples:,} resamples. "
            "p values: exact McNemar test, adjusted by Holm's method.",
            "",
            *(_corrupted(robustness) if robustness else ()),
            "![The comparison as a figure](model_comparison.png)",
            "",
        ]
    )


ROBUSTNESS_HEADER = ("Model", "Clean accuracy", "Mean corruption error")


def under_corruptions(record: Robustness) -> str:
    """Say what the error rates of a record are of."""
    count = len(record.models[0].corruptions)
    return f"Under {count} corruption{'s'[: count != 1]} of {record.images:,} test images"


def robustness_cells(record: Robustness) -> list[list[str]]:
    """Format a row for each model: title, clean accuracy and mean corruption error."""
    return [
        [
            model.title,
            f"{percent(1 - model.clean.rate)} %",
            f"{percent(model.mean_corruption_error)} %",
        ]
        for model in record.models
    ]


def _corrupted(record: Robustness) -> list[str]:
    return [
        "## Robustness",
        "",
        *markdown_table(ROBUSTNESS_HEADER, robustness_cells(record)),
        "",
        f"{under_corruptions(record)}, see robustness.json.",
        "",
    ]


def side_by_side(comparison: Comparison) -> list[str]:
    """Format the rows of a comparison as a Markdown table."""
    return markdown_table(
        ["", *(model.title for model in comparison.models)],
        [
            [
                row.label.replace("  ", "… ", 1) if row.label.startswith("  ") else row.label,
                *(
                    f"**{text}**" if best else text
                    for text, best in zip(row.texts, row.best, strict=True)
                ),
            ]
            for row in comparison_rows(comparison)
        ],
    )


def pair_table(comparison: Comparison) -> list[str]:
    """Format the pairs of a comparison as a Markdown table."""
    return markdown_table(PAIR_HEADER, [pair_cells(comparison, pair) for pair in comparison.pairs])


def pair_cells(comparison: Comparison, pair: ComparedPair) -> list[str]:
    """Format one pair for a table.

    Returns:
        The two titles, difference, interval, the four cells of the 2x2 table, p, adjusted p and
        kappa.
    """
    found = pair.agreement
    counts = (found.both_right, found.only_first, found.only_second, found.both_wrong)
    return [
        f"{comparison.title(pair.second)} − {comparison.title(pair.first)}",
        signed(100 * pair.difference),
        interval_text(pair),
        *(f"{count:,}" for count in counts),
        p_text(pair.mcnemar_p).removeprefix("p = ").removeprefix("p "),
        p_text(pair.adjusted_p).removeprefix("p = ").removeprefix("p "),
        "n/a" if pair.kappa is None else f"{pair.kappa:.4f}",
    ]


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Format a Markdown table, the first column left and all others right aligned."""
    alignment = ["---", *["---:"] * (len(header) - 1)]
    cells = [header, alignment, *rows]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in cells]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a Markdown table as one text without a newline at its end."""
    return "\n".join(markdown_table(header, rows))


def csv_text(comparison: Comparison) -> str:
    """Format a comparison as CSV: a line for each model, a column for each quantity.

    Args:
        comparison: The comparison.

    Returns:
        The file's content, in full precision; shares are 0 to 1.
    """
    rows = [row for row in comparison_rows(comparison) if any(v is not None for v in row.values)]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["model", "title", "weights", "training_device", *(row.key for row in rows)])
    for place, model in enumerate(comparison.models):
        described = [model.name, model.title, model.weights, model.training.accelerator]
        writer.writerow([*described, *(row.values[place] for row in rows)])
    return stream.getvalue()


def interval_text(pair: ComparedPair) -> str:
    """Format the interval of a difference in percentage points."""
    if pair.interval is None:
        return "undefined"
    return f"{signed(100 * pair.interval.low)} to {signed(100 * pair.interval.high)}"


def _is_detail(row: Row) -> bool:
    """Whether a row is left to the files, so that the table fits a screen."""
    details = (
        "p95_ms",
        "p99_ms",
        "brier_scaled",
        "nll_scaled",
        "trainable",
        "label_errors_counted",
    )
    kept_batches = ("_batch1_", "_batch256_")
    timed = "_batch" in row.key
    return (
        row.key.startswith(details)
        or (timed and not any(batch in row.key for batch in kept_batches))
        or ("_batch1_" in row.key and row.key.startswith("images_per_second"))
        or ("_batch256_" in row.key and row.key.startswith("p50"))
    )


def _table(comparison: Comparison, rows: Sequence[Row]) -> list[str]:
    models = comparison.models
    width = min(26, (WIDTH - LABEL_WIDTH) // len(models))
    titles = [textwrap.wrap(model.title, width - 2) for model in models]
    height = max(map(len, titles))
    lines = []
    for level in range(height):
        padded = [title[level] if level < len(title) else "" for title in titles]
        lines.append(" " * LABEL_WIDTH + "".join(_cell(text, "", width) for text in padded))
    for group, members in groupby(rows, key=lambda row: row.group):
        lines.append(group)
        for row in members:
            cells = zip(row.texts, row.best, strict=True)
            body = "".join(_cell(text, BEST if best else "", width) for text, best in cells)
            lines.append(f"  {row.label:<{LABEL_WIDTH - 2}}{body}")
    lines.append(f"{BEST} best of its row")
    return [line.rstrip() for line in lines]


def _cell(text: str, mark: str, width: int) -> str:
    return f"{text:>{width - 2}}{mark:<2}"


def _differences(comparison: Comparison) -> list[str]:
    lines = ["Difference in accuracy, percentage points (95 % interval from the paired bootstrap)"]
    for pair in comparison.baseline_pairs:
        lines += textwrap.wrap(
            f"{comparison.title(pair.second)} − {comparison.title(pair.first)}: "
            f"{signed(100 * pair.difference)} ({interval_text(pair)}), "
            f"McNemar {p_text(pair.adjusted_p)}, kappa "
            f"{'n/a' if pair.kappa is None else f'{pair.kappa:.4f}'}",
            WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
        )
    return lines
