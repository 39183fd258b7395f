"""Loss and accuracy of several trainings against the epoch, on shared axes."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from mnist_lightning.reporting.curve_axes import (
    limit_epochs,
    plot_series,
    scale_accuracy,
    scale_loss,
)
from mnist_lightning.reporting.style import (
    TICK_SIZE,
    drawable,
    label_axes,
    label_log_ticks,
    new_figure,
)


def plot_histories(histories: Mapping[int, pd.DataFrame], titles: Sequence[str]) -> Figure:
    """Plot validation loss and accuracy of several models on shared axes.

    Args:
        histories: One row an epoch with the columns ``epoch`` (from 1), ``val/loss`` (nats) and
            ``val/accuracy`` (0 to 1), by the model's place.
        titles: The titles of all models.
    """
    figure = new_figure(12, 4.6)
    loss_axes, accuracy_axes = figure.subplots(1, 2)
    epochs = {place: history.set_index("epoch") for place, history in histories.items()}
    values = pd.concat(epochs)
    label_axes(loss_axes, "Validation loss", "epoch", "cross-entropy (nats)")
    label_axes(accuracy_axes, "Validation accuracy", "epoch", "accuracy (%, stretched towards 100)")
    scale_loss(loss_axes, values["val/loss"])
    scale_accuracy(accuracy_axes, 100 * values["val/accuracy"])
    for axes, column, factor in (
        (loss_axes, "val/loss", 1),
        (accuracy_axes, "val/accuracy", 100),
    ):
        for place, table in epochs.items():
            plot_series(axes, factor * table[column], place, drawable(titles[place]))
        limit_epochs(axes, max(map(len, epochs.values())))
    if loss_axes.get_yscale() == "log":
        label_log_ticks(loss_axes.yaxis)
    handles, labels = loss_axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=TICK_SIZE)
    return figure
