"""Loss and accuracy of a training against the epoch, as a figure."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FormatStrFormatter, MaxNLocator, NullLocator

from mnist_lightning.reporting.style import (
    DARK_GREY,
    TICK_SIZE,
    label_axes,
    label_log_ticks,
    look,
    new_figure,
)

# Beyond this number of epochs, markers overlap.
MAX_MARKERS = 40
# Above this ratio of the largest to the smallest loss, the axis is logarithmic.
LOG_FROM_RATIO = 5
ACCURACY_TICKS = (0, 50, 80, 90, 95, 98, 99, 99.5, 99.8, 100)
# Percentage points added to the error, so that its logarithm exists at 100 % accuracy.
ERROR_OFFSET = 0.05


def plot_curves(history: pd.DataFrame, *, title: str, best_epoch: int, note: str = "") -> Figure:
    """Plot loss and accuracy of training and validation against the epoch.

    The accuracy axis is stretched towards 100 %, by the logarithm of the error: on a linear one,
    the difference between 99.0 % and 99.5 %, half of all errors, would be invisible next to a
    first epoch of 85 %.

    Args:
        history: One row an epoch with the columns ``epoch`` (from 1), ``train/loss``,
            ``val/loss`` (nats), ``train/accuracy`` and ``val/accuracy`` (0 to 1). Missing values
            (NaN) are left out.
        title: What was trained on what.
        best_epoch: The epoch whose weights were kept; one of those in ``history``.
        note: How the two curves were measured, e.g. that training accuracy is on augmented
            images; shown below the panels.

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
    _plot_both(axes, losses["train/loss"], losses["val/loss"])
    if axes.get_yscale() == "log":
        label_log_ticks(axes.yaxis)
    _mark_best(axes, losses["val/loss"], best_epoch, "{:.4f}")


def _plot_accuracy(axes: Axes, epochs: pd.DataFrame, best_epoch: int) -> None:
    label_axes(axes, "Accuracy", "epoch", "accuracy (%, stretched towards 100)")
    stretch = (
        lambda percent: -np.log10(np.maximum(100 - percent, 0) + ERROR_OFFSET),
        lambda stretched: 100 + ERROR_OFFSET - 10.0**-stretched,
    )
    axes.set_yscale("function", functions=stretch)
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
    size = 5 if len(train) <= MAX_MARKERS else 0
    for name, series, style in (("train", train, look(1)), ("validation", validation, look(0))):
        present = series.dropna()
        if not present.empty:
            axes.plot(
                present.index,
                present,
                label=name,
                linewidth=2,
                markersize=size,
                # 100 % is on the frame.
                clip_on=False,
                **style.lines,
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
    # Below the axes: within them, the legend would cover some curves.
    axes.legend(
        fontsize=TICK_SIZE, frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.13)
    )
