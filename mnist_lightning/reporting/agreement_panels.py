"""The panels of a comparison about agreement and confidence."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from mnist_lightning.comparison.schema import Comparison
from mnist_lightning.reporting import style

Counts = npt.NDArray[np.float64]

# A point that stands for fewer images than this tells next to nothing about them.
FEWEST_IN_BIN = 10


def draw_agreement(axes: Axes, comparison: Comparison) -> None:
    """Draw the 2x2 table of two models, or for more how many images each gets right alone."""
    names = style.letters(len(comparison.models))
    cells = _only_one_right(comparison)
    if len(names) > 2:
        style.label_axes(axes, "Row right, column wrong", "wrong", "right")
        _draw_cells(axes, cells, cells, names)
        return
    found = comparison.pairs[0].agreement
    style.label_axes(axes, "Agreement (images)", f"{names[1]} is", f"{names[0]} is")
    table = [[found.both_right, found.only_first], [found.only_second, found.both_wrong]]
    _draw_cells(axes, np.array(table, float), cells, ["right", "wrong"])


def _only_one_right(comparison: Comparison) -> Counts:
    """Count the images that the row's model gets right and the column's wrong; NaN on itself."""
    names = [model.name for model in comparison.models]
    cells = np.full((len(names), len(names)), np.nan)
    for pair in comparison.pairs:
        row, column = names.index(pair.first), names.index(pair.second)
        cells[row, column] = pair.agreement.only_first
        cells[column, row] = pair.agreement.only_second
    return cells


def _draw_cells(axes: Axes, cells: Counts, colours: Counts, names: list[str]) -> None:
    # Twice the largest, so that black text is readable on the darkest cell too.
    highest = max(2 * float(np.nanmax(colours)), 1)
    axes.imshow(np.nan_to_num(colours), cmap="Oranges", vmin=0, vmax=highest)
    for (row, column), value in np.ndenumerate(cells):
        if not np.isnan(value):
            axes.text(column, row, f"{value:,.0f}", ha="center", va="center", fontsize=14)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    for edge in range(1, len(cells)):
        axes.axhline(edge - 0.5, color=style.LIGHT_GREY)
        axes.axvline(edge - 0.5, color=style.LIGHT_GREY)


def draw_reliability(axes: Axes, comparison: Comparison) -> None:
    """Draw the share of right predictions against the confidence before temperature scaling."""
    style.label_axes(
        axes, "Reliability, as trained", "mean confidence of a bin", "share of it that is right"
    )
    axes.plot([0, 1], [0, 1], color=style.DARK_GREY, linewidth=1)
    for place, model in enumerate(comparison.models):
        raw, scaled = model.calibration.raw, model.calibration.scaled
        bins = [one for one in raw.bins if one.count >= FEWEST_IN_BIN]
        confidence, accuracy = [one.confidence for one in bins], [one.accuracy for one in bins]
        label = f"{style.look(place).letter} {raw.ece:.4f} → {scaled.ece:.4f}"
        axes.plot(confidence, accuracy, label=label, **style.look(place).lines)
    axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04))
    title = {"title": "ECE, as trained → calibrated", "title_fontsize": style.SMALL_SIZE}
    style.add_legend(
        axes, len(comparison.models), 2, fontsize=style.SMALL_SIZE, loc="lower right", **title
    )
    axes.grid(alpha=0.3)


def draw_coverage(axes: Axes, comparison: Comparison) -> None:
    """Draw the errors that remain when the least confident images are rejected."""
    style.label_axes(
        axes, "Rejecting the least confident", "images answered (%)", "errors among them (%)"
    )
    for place, model in enumerate(comparison.models):
        model_look, points = style.look(place), model.calibration.coverage
        answered = [100 * point.coverage for point in points]
        errors = [100 * point.errors / point.n for point in points]
        axes.plot(answered, errors, markersize=5, label=model_look.letter, **model_look.lines)
    style.add_legend(axes, len(comparison.models), loc="upper left")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
