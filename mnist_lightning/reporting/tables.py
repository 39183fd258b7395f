"""Tables: one DataFrame of values each, formatted once, then written as text, Markdown or CSV."""

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from mnist_lightning.evaluation.metrics import Interval
from mnist_lightning.reporting.rendering import escape_markdown
from mnist_lightning.terminal.streams import one_line

UNKNOWN = "n/a"
#: Columns of the terminal.
WIDTH = 100

Formats = Mapping[Any, Callable[[Any], str]]


@dataclass(frozen=True, eq=False)
class Table:
    """A table; the index of all three frames names the rows.

    Attributes:
        values: Text and numbers in full precision, as ``object``, so that an integer stays one
            next to a missing value; None or NaN if a value is not known.
        shown: The same as text for people.
        best: Whether each cell is marked as one of the best.
    """

    values: pd.DataFrame
    shown: pd.DataFrame
    best: pd.DataFrame

    def apply(self, change: Callable[[pd.DataFrame], pd.DataFrame]) -> "Table":
        """Apply the same change to all three frames, such as a selection of columns."""
        return Table(change(self.values), change(self.shown), change(self.best))

    def to_text(self, header: bool = True) -> str:
        """Format the table for the terminal: its index left-aligned, its columns right-aligned.

        The best cells get a star. Columns that do not fit into 100 characters follow below, next
        to the index again.

        Args:
            header: Whether to name the columns.
        """
        # The space keeps the digits of a column aligned.
        shown = self._marked(lambda text, best: f"{text}{'*' if best else ' '}")
        shown = shown.rename_axis(columns=None)
        named = shown.index.nlevels > 1
        text = shown.to_string(line_width=WIDTH, header=header, index_names=named)
        # Without pandas's sign of a continuation, which reads like one of the shell.
        return re.sub(r"[ \\]+$", "", text, flags=re.MULTILINE)

    def to_markdown(self) -> Markup:
        """Format the table as Markdown: its index left-aligned, its columns right-aligned.

        The best cells are bold. ``tabulate``, which ``DataFrame.to_markdown`` needs, escapes
        nothing and parses numbers again.
        """
        shown = self._marked(
            lambda text, best: Markup(f"**{escape_markdown(text)}**") if best else text
        )
        cells = shown.reset_index(names=shown.index.name or "")
        alignment = ["---", *["---:"] * len(shown.columns)]
        rows = [cells.columns, alignment, *cells.to_numpy()]
        return Markup("\n".join(f"| {' | '.join(map(escape_markdown, row))} |" for row in rows))

    def _marked(self, mark: Callable[[str, bool], str]) -> pd.DataFrame:
        if not self.best.to_numpy().any():
            return self.shown
        cells = zip(self.shown.to_numpy(), self.best.to_numpy(), strict=True)
        rows = [list(map(mark, *row)) for row in cells]
        return pd.DataFrame(rows, self.shown.index, self.shown.columns, dtype=object)


def table(
    rows: Iterable[Mapping[str, object]], formats: Formats | None = None, index: int = 1
) -> Table:
    """Make a table without best cells.

    Args:
        rows: The cells of each row by column.
        formats: See :func:`texts`.
        index: How many of the first columns name the rows.
    """
    values = pd.DataFrame(list(rows), dtype=object)
    if len(values):
        values = values.set_index([*values.columns[:index]])
    return Table(values, texts(values, formats), pd.DataFrame(False, values.index, values.columns))


def texts(values: pd.DataFrame, formats: Formats | None = None) -> pd.DataFrame:
    """Format every cell for people.

    Args:
        values: See :class:`Table`.
        formats: How to format the values of a column; :func:`by_type` formats the others.
    """
    by_column = [(formats or {}).get(name, by_type) for name in values.columns]
    rows = [
        [
            UNKNOWN if pd.isna(value) else form(value)
            for form, value in zip(by_column, row, strict=True)
        ]
        for row in values.to_numpy().tolist()
    ]
    return pd.DataFrame(rows, values.index, values.columns, dtype=object)


def to_csv(values: pd.DataFrame) -> str:
    """Format a table as CSV, with numbers in full precision.

    Text that a spreadsheet would run as a formula gets a leading apostrophe.
    """
    cells = values.reset_index()
    # DataFrame.map would turn integers next to missing values into floats.
    guarded = [[_without_formula(value) for value in row] for row in cells.to_numpy()]
    return pd.DataFrame(guarded, columns=cells.columns, dtype=object).to_csv(
        index=False, lineterminator="\n"
    )


def paragraphs(sentences: Iterable[str]) -> str:
    """Wrap sentences for the terminal, each as a separate paragraph."""
    return "\n\n".join(textwrap.fill(sentence, WIDTH) for sentence in sentences)


def written(files: Sequence[Path]) -> str:
    """Name the files that were written to one folder, for the terminal; no name is broken."""
    names = ", ".join(one_line(path.name) for path in files)
    wrapped = textwrap.fill(names, WIDTH, break_long_words=False, break_on_hyphens=False)
    return f"Written to {one_line(files[0].parent)}:\n{wrapped}"


def percent(share: float) -> str:
    """Format a share in percent, without the sign, e.g. ``99.62``."""
    return f"{100 * share:.2f}"


def interval(found: Interval) -> str:
    """Format an interval of a share in percent, e.g. ``99.46–99.71``."""
    return f"{percent(found.low)}–{percent(found.high)}"


def four(value: float) -> str:
    """Format with four decimal places, e.g. ``0.9960``."""
    return f"{value:.4f}"


def three(value: float) -> str:
    """Format with three significant digits and without an exponent, e.g. ``0.0123``."""
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"


def duration(seconds: float) -> str:
    """Format a time, e.g. ``8.3 s``, ``12 min 5 s`` or ``1 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def by_type(value: object) -> str:
    """Format integers with separators of thousands, floats with three significant digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return three(value) if isinstance(value, float) else str(value)


def _without_formula(value: object) -> object:
    risky = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if risky else value


def shorten(text: str, width: int) -> str:
    """Cut the beginning of a text that is longer than ``width``: the end tells files apart."""
    return text if len(text) <= width else f"...{text[len(text) - width + 3 :]}"
