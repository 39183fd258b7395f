"""How a training went: loss and accuracy, epoch by epoch."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FormatStrFormatter, LogLocator, MaxNLocator, NullLocator

from mnist_lightning.reporting.style import (
    BLUE,
    DARK_GREY,
    TICK_SIZE,
    VERMILLION,
    label_axes,
    new_figure,
)

TRAIN: dict[str, Any] = {"color": VERMILLION, "linestyle": "--", "marker": "s"}
VALIDATION: dict[str, Any] = {"color": BLUE, "linestyle": "-", "marker": "o"}
# Beyond so many epochs markers run into each other.
MAX_MARKERS = 40
# From this ratio of the largest to the smallest loss on, the axis is logarithmic.
LOG_FROM_RATIO = 5
ACCURACY_TICKS = (0, 50, 80, 90, 95, 98, 99, 99.5, 99.8, 100)
# Percentage points added to the error, so that its logarithm exists at 100 % accuracy.
ERROR_OFFSET = 0.05


def plot_curves(history: pd.DataFrame, *, title: str, best_epoch: int, note: str = "") -> Figure:
    """Plot loss and accuracy of training and validation against the epoch.

    The accuracy axis is stretched towards 100 %, by the logarithm of the error: on an even one
    the difference between 99.0 % and 99.5 %, half of all errors, would not be seen beside a
    first epoch of 85 %.

    Args:
        history: One row an epoch with the columns ``epoch`` (from 1), ``train/loss``,
            ``val/loss`` (nats), ``train/accuracy`` and ``val/accuracy`` (0 to 1). Missing values
            (NaN) are left out.
        title: What was trained on what.
        best_epoch: The epoch whose weights were kept; one of those in ``history``.
        note: How the two curves were measured, e.g. that training accuracy is on augmented
            images; stands below the panels.

    Returns:
        The figure.

    Raises:
        KeyError: A column or the best epoch is missing in ``history``.
    """
    figure = new_figure(12, 5.4, title)
    loss_axes, accuracy_axes = figure.subplots(1, 2)
    epochs = history.set_index("epoch")
    _plot_loss(loss_axes, epochs, best_epoch)
    _plot_accuracy(accuracy_axes, epochs, best_epoch)
    if note:
        figure.supxlabel(note, fontsize=TICK_SIZE, color=DARK_GREY)
    return figure


def _plot_loss(axes: Axes, epochs: pd.DataFrame, best_epoch: int) -> None:
    label_axes(axes, "Loss", "epoch", "cross-entropy (nats)")
    losses = epochs[["train/loss", "val/loss"]]
    # A logarithmic axis cannot show a loss of zero, and has no ticks on a short range.
    if losses.max().max() > LOG_FROM_RATIO * losses.min().min() > 0:
        axes.set_yscale("log")
        axes.set_ylabel("cross-entropy (nats, log scale)")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.yaxis.set_minor_locator(NullLocator())
    _plot_both(axes, losses["train/loss"], losses["val/loss"])
    _mark_best(axes, losses["val/loss"], best_epoch, "{:.4f}")


def _plot_accuracy(axes: Axes, epochs: pd.DataFrame, best_epoch: int) -> None:
    label_axes(axes, "Accuracy", "epoch", "accuracy (%, stretched towards 100)")
    axes.set_yscale("function", functions=(_stretch, _unstretch))
    percent = 100 * epochs[["train/accuracy", "val/accuracy"]]
    _plot_both(axes, percent["train/accuracy"], percent["val/accuracy"])
    lowest, highest = percent.min().min(), percent.max().max()
    axes.set_ylim(
        max(tick for tick in ACCURACY_TICKS if tick == 0 or tick < lowest),
        min(tick for tick in ACCURACY_TICKS if tick == 100 or tick > highest),
    )
    axes.yaxis.set_major_locator(FixedLocator(ACCURACY_TICKS))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    _mark_best(axes, percent["val/accuracy"], best_epoch, "{:.2f} %")


def _plot_both(axes: Axes, train: "pd.Series[float]", validation: "pd.Series[float]") -> None:
    for name, series, look in (("train", train, TRAIN), ("validation", validation, VALIDATION)):
        present = series.dropna()
        if present.empty:
            continue
        style = look if len(series) <= MAX_MARKERS else {**look, "marker": ""}
        # Unclipped: 100 % lies on the frame.
        axes.plot(
            present.index, present, label=name, linewidth=2, markersize=5, clip_on=False, **style
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(train.index.min() - 0.5, train.index.max() + 0.5)
    axes.grid(alpha=0.3)


def _mark_best(
    axes: Axes, validation: "pd.Series[float]", best_epoch: int, value_format: str
) -> None:
    value = value_format.format(validation.loc[best_epoch])
    axes.axvline(
        best_epoch,
        color=DARK_GREY,
        linestyle=":",
        linewidth=2,
        label=f"best epoch {best_epoch}: {value}",
    )
    # Below the axes: within them, no place is free of short and steep curves.
    axes.legend(
        fontsize=TICK_SIZE, frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.13)
    )


def _stretch(percent: npt.ArrayLike) -> npt.NDArray[np.float64]:
    error = np.maximum(100 - np.asarray(percent, dtype=np.float64), 0)
    stretched: npt.NDArray[np.float64] = -np.log10(error + ERROR_OFFSET)
    return stretched


def _unstretch(stretched: npt.ArrayLike) -> npt.NDArray[np.float64]:
    error: npt.NDArray[np.float64] = 10.0 ** -np.asarray(stretched, dtype=np.float64)
    return 100 + ERROR_OFFSET - error
