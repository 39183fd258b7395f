"""Confusion matrices as a figure."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from mnist_lightning.reporting.style import LIGHT_GREY, label_axes, new_figure

# Light to dark in one hue, so that it also reads in grey.
ERROR_COLOURS = "Oranges"


def plot_confusion(matrix: Sequence[Sequence[int]], *, title: str) -> Figure:
    """Plot a confusion matrix twice: as counts, and as percent of each true digit.

    Only errors are coloured, on a separate scale, and cells without any are empty: next to a
    diagonal of a thousand, a common scale (as of scikit-learn's ``ConfusionMatrixDisplay``) would
    show forty errors as none.

    Args:
        matrix: Counts, ``(10, 10)``, rows are true digits, columns predicted ones.
        title: Which model on which images.
    """
    counts = np.asarray(matrix)
    n, errors = int(counts.sum()), int(counts.sum() - counts.trace())
    accuracy = 100 * (1 - errors / n)
    figure = new_figure(
        15, 7.6, f"{title}: {errors:,} error{'s'[: errors != 1]}, accuracy {accuracy:.2f} %"
    )
    left, right = figure.subplots(1, 2)
    _draw(left, counts, "{:,.0f}".format)
    label_axes(left, "Number of images", "predicted digit", "true digit")
    # A digit without images keeps a row of zeros.
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    _draw(right, 100 * counts / totals, _percent)
    label_axes(right, "Percent of each true digit", "predicted digit", "true digit")
    return figure


def plot_counts(matrix: Sequence[Sequence[int]], *, title: str) -> Figure:
    """Plot the counts of ``plot_confusion`` alone, readable at half the size.

    Args:
        matrix: Counts, ``(10, 10)``, rows are true digits, columns predicted ones.
        title: Which model.
    """
    figure = new_figure(6.4, 6.8, title)
    axes = figure.subplots()
    _draw(axes, np.asarray(matrix), "{:,.0f}".format)
    label_axes(axes, "Number of test images", "predicted digit", "true digit")
    return figure


def _draw(axes: Axes, values: npt.NDArray[np.generic], describe: Callable[[float], str]) -> None:
    diagonal = np.eye(len(values), dtype=bool)
    texts = np.vectorize(describe, otypes=[str])(values)
    present = values != 0
    for shown, colours in (
        (diagonal & present, ListedColormap([LIGHT_GREY])),
        (~diagonal & present, ERROR_COLOURS),
    ):
        if shown.any():
            sns.heatmap(
                values,
                mask=~shown,
                annot=texts,
                fmt="",
                cmap=colours,
                vmin=0,
                # Black text stays readable on the lighter part of the scale.
                vmax=1.6 * values[shown].max(),
                cbar=False,
                square=True,
                linewidths=0.5,
                linecolor=LIGHT_GREY,
                annot_kws={"fontsize": 12, "color": "black"},
                ax=axes,
            )
    axes.tick_params(rotation=0, length=0)


def _percent(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
