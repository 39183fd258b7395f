"""Loss and accuracy of several trainings against the epoch, on shared axes."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from mnist_lightning.reporting import curve_axes, style


def plot_histories(histories: Mapping[int, pd.DataFrame], titles: Sequence[str]) -> Figure:
    """Plot validation loss and accuracy of several models on shared axes.

    Args:
        histories: One row an epoch with the columns ``epoch`` (from 1), ``val/loss`` (nats) and
            ``val/accuracy`` (0 to 1), by the model's place.
        titles: The titles of all models.
    """
    figure = style.new_figure(12, 4.6)
    loss_axes, accuracy_axes = figure.subplots(1, 2)
    epochs = {place: history.set_index("epoch") for place, history in histories.items()}
    values = pd.concat(epochs)
    style.label_axes(loss_axes, "Validation loss", "epoch", "cross-entropy (nats)")
    style.label_axes(
        accuracy_axes, "Validation accuracy", "epoch", "accuracy (%, stretched towards 100)"
    )
    curve_axes.scale_loss(loss_axes, values["val/loss"])
    curve_axes.scale_accuracy(accuracy_axes, 100 * values["val/accuracy"])
    for axes, column, factor in ((loss_axes, "val/loss", 1), (accuracy_axes, "val/accuracy", 100)):
        for place, table in epochs.items():
            curve_axes.plot_series(
                axes, factor * table[column], place, style.drawable(titles[place])
            )
        curve_axes.limit_epochs(axes, max(map(len, epochs.values())))
    if loss_axes.get_yscale() == "log":
        style.label_log_ticks(loss_axes.yaxis)
    handles, labels = loss_axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=style.TICK_SIZE)
    return figure
