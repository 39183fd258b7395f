"""Axes of loss and accuracy against the epoch, and the curves on them."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FormatStrFormatter, MaxNLocator, NullLocator

from mnist_lightning.reporting.style import look

# Beyond this number of epochs, markers overlap.
MAX_MARKERS = 40
# Below this number of epochs, the values are written next to the markers.
FEWEST_WITHOUT_VALUES = 3
# Above this ratio of the largest to the smallest loss, the axis is logarithmic.
LOG_FROM_RATIO = 5
ACCURACY_TICKS = (0, 50, 80, 90, 95, 98, 99, 99.5, 99.8, 100)
# Percentage points added to the error, so that its logarithm exists at 100 % accuracy.
ERROR_OFFSET = 0.05


def scale_loss(axes: Axes, losses: "pd.DataFrame | pd.Series[float]") -> None:
    """Use a logarithmic axis if the losses, in nats, differ by orders of magnitude."""
    # A logarithmic axis cannot show a loss of zero, and has no ticks on a short range.
    if np.nanmax(losses) > LOG_FROM_RATIO * np.nanmin(losses) > 0:
        axes.set_yscale("log")
        axes.set_ylabel("cross-entropy (nats, log scale)")


def scale_accuracy(axes: Axes, percent: "pd.DataFrame | pd.Series[float]") -> None:
    """Stretch the axis towards 100 %, by the logarithm of the error.

    On a linear one, the difference between 99.0 % and 99.5 %, half of all errors, would be
    invisible next to a first epoch of 85 %.

    Args:
        axes: The axes.
        percent: All accuracies that are drawn, 0 to 100.
    """
    stretch = (
        lambda percent: -np.log10(np.maximum(100 - percent, 0) + ERROR_OFFSET),
        lambda stretched: 100 + ERROR_OFFSET - 10.0**-stretched,
    )
    axes.set_yscale("function", functions=stretch)
    lowest, highest = np.nanmin(percent), np.nanmax(percent)
    axes.set_ylim(
        max(tick for tick in ACCURACY_TICKS if tick == 0 or tick < lowest),
        min(tick for tick in ACCURACY_TICKS if tick == 100 or tick > highest),
    )
    axes.yaxis.set_major_locator(FixedLocator(ACCURACY_TICKS))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))


def plot_series(axes: Axes, series: "pd.Series[float]", place: int, label: str) -> None:
    """Draw one curve, with markers while there is room for them.

    Args:
        axes: Where to draw it.
        series: The values by epoch; missing ones (NaN) are left out.
        place: Its place among the curves, which chooses colour and marker.
        label: Its name in the legend.
    """
    epochs = len(series)
    size = 0 if epochs > MAX_MARKERS else 9 if epochs < FEWEST_WITHOUT_VALUES else 5
    present = series.dropna()
    if not present.empty:
        axes.plot(
            present.index,
            present,
            label=label,
            linewidth=2,
            markersize=size,
            # 100 % is on the frame.
            clip_on=False,
            **look(place).lines,
        )


def limit_epochs(axes: Axes, epochs: int) -> None:
    """Show whole epochs from 1 to ``epochs``, with half an epoch of space on both sides."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(0.5, epochs + 0.5)
    axes.grid(alpha=0.3)
