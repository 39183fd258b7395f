"""On which images models are right: the panel that tells how far they agree."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from mnist_lightning.comparison.schema import Comparison
from mnist_lightning.reporting.comparison_look import look
from mnist_lightning.reporting.style import LIGHT_GREY, label_axes


def draw_agreement(axes: Axes, comparison: Comparison) -> None:
    """Draw the 2x2 table of two models, or for more how many images each gets right alone."""
    if len(comparison.models) == 2:
        _draw_table(axes, comparison)
    else:
        _draw_matrix(axes, comparison)


def _draw_table(axes: Axes, comparison: Comparison) -> None:
    (pair,) = comparison.pairs
    table = pair.agreement
    first, second = look(0).letter, look(1).letter
    cells = [[table.both_right, table.only_first], [table.only_second, table.both_wrong]]
    label_axes(axes, "Agreement (images)", f"{second} is", f"{first} is")
    _draw_cells(axes, cells, coloured=[(0, 1), (1, 0)])
    axes.set_xticks([0, 1], ["right", "wrong"])
    axes.set_yticks([0, 1], ["right", "wrong"])


def _draw_matrix(axes: Axes, comparison: Comparison) -> None:
    names = [model.name for model in comparison.models]
    cells: list[list[int | None]] = [[None] * len(names) for _ in names]
    for pair in comparison.pairs:
        row, column = names.index(pair.first), names.index(pair.second)
        cells[row][column] = pair.agreement.only_first
        cells[column][row] = pair.agreement.only_second
    label_axes(axes, "Row right, column wrong", "wrong", "right")
    everywhere = [(i, j) for i in range(len(names)) for j in range(len(names)) if i != j]
    _draw_cells(axes, cells, coloured=everywhere)
    letters = [look(place).letter for place in range(len(names))]
    axes.set_xticks(range(len(names)), letters)
    axes.set_yticks(range(len(names)), letters)


def _draw_cells(
    axes: Axes,
    cells: Sequence[Sequence[int | None]],
    coloured: Sequence[tuple[int, int]],
) -> None:
    shown = np.zeros((len(cells), len(cells)))
    for row, column in coloured:
        shown[row, column] = cells[row][column] or 0
    # Twice the largest, so that black text is readable on the darkest cell too.
    axes.imshow(shown, cmap="Oranges", vmin=0, vmax=max(2 * shown.max(), 1))
    for row, values in enumerate(cells):
        for column, value in enumerate(values):
            if value is not None:
                axes.text(column, row, f"{value:,}", ha="center", va="center", fontsize=14)
    axes.tick_params(length=0)
    for edge in range(1, len(cells)):
        axes.axhline(edge - 0.5, color=LIGHT_GREY)
        axes.axvline(edge - 0.5, color=LIGHT_GREY)
