"""A comparison for the terminal, as Markdown and as CSV."""

import re
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from mnist_lightning.comparison.schema import Comparison
from mnist_lightning.reporting.comparison_tables import (
    heading,
    pair_table,
    side_by_side,
    values_by_key,
)
from mnist_lightning.reporting.rendering import render
from mnist_lightning.reporting.robustness_text import under_corruptions, with_clean_accuracy
from mnist_lightning.reporting.style import letters
from mnist_lightning.reporting.tables import Table, paragraphs, to_csv, written
from mnist_lightning.robustness.error_rates import Robustness

#: What only the files have, so that the table fits a screen.
_DETAIL = re.compile(
    r"p9[59]_ms|brier_scaled|nll_scaled|trainable|label_errors_counted|\w+_batch32_"
    "|images_per_second_batch1_|p50_ms_batch256_"
)
_IN_TERMINAL = ["points", "95 % interval", "adjusted p", "kappa"]


def terminal_summary(comparison: Comparison, files: Sequence[Path]) -> str:
    """Summarise a comparison for the terminal.

    Args:
        comparison: The comparison.
        files: What was written, in one folder.

    Returns:
        Lines of at most 100 columns, unless a title or the folder's name is longer. No newline at
        the end.
    """
    names = letters(len(comparison.models))
    named = zip(names, comparison.models, strict=True)
    models = side_by_side(comparison, names)
    keys = [column for column in models.values.columns if not _DETAIL.match(column[2])]
    # The pairs of the baseline come first.
    pairs = pair_table(comparison, names).apply(lambda one: one[_IN_TERMINAL].head(len(names) - 1))
    return "\n\n".join(
        [
            heading(comparison),
            "\n".join(f"  {letter}  {model.title}" for letter, model in named),
            f"{models.apply(lambda one: one[keys].T.droplevel(2)).to_text()}\n* best of its row",
            "Difference in accuracy, percentage points (95 % interval from the paired bootstrap):\n"
            f"{pairs.to_text()}",
            paragraphs(comparison.conclusion),
            written(files),
        ]
    )


def markdown(comparison: Comparison, robustness: Robustness | None = None) -> str:
    """Format a comparison as Markdown.

    Args:
        comparison: The comparison.
        robustness: How these models perform on corrupted digits, if that is known.

    Returns:
        A document with a heading, tables and the conclusion.
    """
    titles = [model.title for model in comparison.models]
    return render(
        "comparison.md",
        comparison=comparison,
        heading=heading(comparison),
        side_by_side=quantity_markdown(side_by_side(comparison, titles)),
        pairs=pair_table(comparison, titles).to_markdown(),
        robustness=robustness and with_clean_accuracy(robustness).to_markdown(),
        corruptions=robustness and under_corruptions(robustness),
    )


def quantity_markdown(models: Table) -> Markup:
    """Format the table of models as Markdown, a row for each quantity, the best in bold."""
    return models.apply(lambda one: one.T.droplevel([0, 2])).to_markdown()


def csv_text(comparison: Comparison) -> str:
    """Format a comparison as CSV: a row for each model, a column for each quantity.

    Returns:
        The content of the file, in full precision; shares are 0 to 1.
    """
    values = values_by_key(comparison).dropna(axis=1, how="all")
    values.insert(0, "title", [model.title for model in comparison.models])
    values.insert(1, "weights", [model.weights for model in comparison.models])
    return to_csv(values)
