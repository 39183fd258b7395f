"""A comparison for the terminal, as Markdown and as CSV."""

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from mnist_lightning.comparison.schema import Comparison
from mnist_lightning.comparison.titles import short_titles
from mnist_lightning.comparison.verdict import verdict
from mnist_lightning.reporting.comparison_tables import (
    heading,
    overview,
    pair_table,
    side_by_side,
    values_by_key,
)
from mnist_lightning.reporting.rendering import render
from mnist_lightning.reporting.robustness_text import (
    answered_note,
    under_corruptions,
    with_clean_error,
)
from mnist_lightning.reporting.tables import Table, paragraphs, to_csv, written
from mnist_lightning.robustness.error_rates import Robustness

_IN_TERMINAL = ["points", "95 % interval", "adjusted p", "kappa"]


def terminal_summary(
    comparison: Comparison, files: Sequence[Path], robustness: Robustness | None = None
) -> str:
    """Summarise a comparison for the terminal: the verdict, one table, then the tests.

    Args:
        comparison: The comparison.
        files: What was written, in one folder.
        robustness: How these models perform on corrupted digits, if that is known.

    Returns:
        Lines of at most 100 columns, unless a title or the folder's name is longer. No newline at
        the end.
    """
    names = [*short_titles(comparison.models).values()]
    # The pairs of the baseline come first.
    pairs = pair_table(comparison, names).apply(lambda one: one[_IN_TERMINAL].head(len(names) - 1))
    return "\n\n".join(
        [
            heading(comparison),
            paragraphs(verdict(comparison, robustness)),
            overview(comparison, names, robustness).to_text(),
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
        A document with the verdict, one table, and below them all quantities and tests.
    """
    titles = [*short_titles(comparison.models).values()]
    return render(
        "comparison.md",
        comparison=comparison,
        heading=heading(comparison),
        verdict=verdict(comparison, robustness),
        overview=overview(comparison, titles, robustness).to_markdown(),
        side_by_side=quantity_markdown(side_by_side(comparison, titles)),
        pairs=pair_table(comparison, titles).to_markdown(),
        robustness=robustness and with_clean_error(robustness).to_markdown(),
        corruptions=robustness and under_corruptions(robustness),
        answered=robustness and answered_note(robustness),
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
