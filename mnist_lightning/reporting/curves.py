"""Loss and accuracy of a training against the epoch, as a figure."""

import math
import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnist_lightning.data.digits import CLASSES
from mnist_lightning.reporting.curve_axes import (
    FEWEST_WITHOUT_VALUES,
    limit_epochs,
    plot_series,
    scale_accuracy,
    scale_loss,
)
from mnist_lightning.reporting.style import (
    DARK_GREY,
    TICK_SIZE,
    label_axes,
    label_log_ticks,
    look,
    new_figure,
)

# A validation loss that ends above its minimum by less than this share only fluctuates.
RISE = 0.05
# Steps of the running mean that is drawn over the losses of single steps.
SMOOTHED_STEPS = 20
# Characters of the note in a line.
NOTE_WIDTH = 115


def plot_curves(
    history: pd.DataFrame,
    *,
    title: str,
    note: str = "",
    label_smoothing: float = 0.0,
    step_losses: "pd.Series[float] | None" = None,
) -> Figure:
    """Plot loss and accuracy of training and validation against the epoch, or the loss by step.

    The accuracy axis is stretched towards 100 %, by the logarithm of the error: on a linear one,
    the difference between 99.0 % and 99.5 %, half of all errors, would be invisible next to a
    first epoch of 85 %.

    Args:
        history: One row an epoch with the columns ``epoch`` (from 1), ``train/loss``,
            ``val/loss`` (nats), ``train/accuracy`` and ``val/accuracy`` (0 to 1). Missing values
            (NaN) are left out.
        title: What was trained on what.
        note: How the two curves were measured, e.g. that training accuracy is on augmented
            images; shown below the panels.
        label_smoothing: That of the training loss, 0 to 1; the validation loss has none. If it is
            not 0, the lowest possible training loss is drawn as a line.
        step_losses: Training loss by step (from 1). If there is any, the loss is drawn against the
            step: one or two epochs are no curve.

    Raises:
        KeyError: A column is missing in ``history``.
    """
    figure = new_figure(12, 5.4, title)
    loss_axes, accuracy_axes = figure.subplots(1, 2)
    epochs = history.set_index("epoch")
    floor = smoothed_floor(label_smoothing)
    if step_losses is None or step_losses.empty:
        _plot_loss(loss_axes, epochs)
    else:
        _plot_loss_by_step(loss_axes, epochs, step_losses)
    if loss_axes.get_yscale() == "log":
        label_log_ticks(loss_axes.yaxis)
    if floor:
        label = f"lowest possible train: {floor:.4f}"
        loss_axes.axhline(floor, color=look(1).colour, linewidth=1, label=label)
    _legend(loss_axes)
    _plot_accuracy(accuracy_axes, epochs)
    lines = [note, _why_loss_rises(epochs, label_smoothing)]
    if floor:
        lines.append(
            f"The training loss is that of labels smoothed by {label_smoothing:g}: it cannot fall "
            f"below {floor:.2f}, and is not comparable with the validation loss."
        )
    text = "\n".join(textwrap.fill(line, NOTE_WIDTH) for line in lines if line)
    figure.supxlabel(text, fontsize=TICK_SIZE, color=DARK_GREY)
    return figure


def smoothed_floor(label_smoothing: float) -> float:
    """Return the lowest possible cross-entropy with smoothed labels, in nats: their entropy."""
    others = label_smoothing / CLASSES
    shares = [1 - label_smoothing + others, *[others] * (CLASSES - 1)]
    return -sum(share * math.log(share) for share in shares if share > 0)


def _why_loss_rises(epochs: pd.DataFrame, label_smoothing: float) -> str:
    """Explain a validation loss that rises while the accuracy does not fall; else nothing."""
    loss = epochs["val/loss"].dropna()
    if loss.empty:
        return ""
    lowest = int(loss.to_numpy().argmin())
    accuracy = epochs["val/accuracy"].loc[loss.index]
    rises = loss.iloc[-1] > (1 + RISE) * loss.iloc[lowest]
    if not rises or accuracy.iloc[-1] < accuracy.iloc[lowest]:
        return ""
    reason = (
        "smoothed labels keep the confidence low, which costs loss on images that are right"
        if label_smoothing
        else "the network grows more confident, also in the images that it gets wrong"
    )
    epoch = loss.index[lowest]
    return f"Validation loss rises after epoch {epoch} but accuracy does not fall: {reason}."


def _plot_loss(axes: Axes, epochs: pd.DataFrame) -> None:
    label_axes(axes, "Loss", "epoch", "cross-entropy (nats)")
    losses = epochs[["train/loss", "val/loss"]]
    scale_loss(axes, losses)
    _plot_both(axes, losses["train/loss"], losses["val/loss"], "{:.4f}")


def _plot_loss_by_step(axes: Axes, epochs: pd.DataFrame, step_losses: "pd.Series[float]") -> None:
    label_axes(axes, "Loss", "step", "cross-entropy (nats)")
    validation = epochs.set_index("step")["val/loss"].dropna()
    scale_loss(axes, pd.concat([step_losses, validation]))
    colour = look(1).colour
    smooth = step_losses.rolling(SMOOTHED_STEPS, min_periods=1, center=True).mean()
    axes.plot(step_losses, color=colour, linewidth=0.7, alpha=0.4, label="train, each step")
    axes.plot(smooth, color=colour, linewidth=2, label=f"train, mean of {SMOOTHED_STEPS} steps")
    axes.plot(validation, color=look(0).colour, marker="o", label="validation, end of an epoch")
    for step, loss in validation.items():
        axes.annotate(
            f"{loss:.4f}",
            (step, loss),
            color=look(0).colour,
            xytext=(-10, 6),
            textcoords="offset points",
            ha="right",
        )


def _plot_accuracy(axes: Axes, epochs: pd.DataFrame) -> None:
    label_axes(axes, "Accuracy", "epoch", "accuracy (%, stretched towards 100)")
    percent = 100 * epochs[["train/accuracy", "val/accuracy"]]
    scale_accuracy(axes, percent)
    _plot_both(axes, percent["train/accuracy"], percent["val/accuracy"], "{:.2f} %")
    _legend(axes)


def _plot_both(
    axes: Axes, train: "pd.Series[float]", validation: "pd.Series[float]", value_format: str
) -> None:
    for name, series, place in (("train", train, 1), ("validation", validation, 0)):
        plot_series(axes, series, place, name)
        if len(series) < FEWEST_WITHOUT_VALUES:
            for epoch, value in series.dropna().items():
                axes.annotate(
                    value_format.format(value),
                    (epoch, value),
                    # Training on the left, so that two close values do not overlap.
                    xytext=(-10 if place else 10, 0),
                    textcoords="offset points",
                    ha="right" if place else "left",
                    va="center",
                    fontsize=TICK_SIZE,
                    color=look(place).colour,
                    # The curve passes behind the value.
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
                )
    limit_epochs(axes, len(train))


def _legend(axes: Axes) -> None:
    # Below the axes: within them, the legend would cover some curves.
    axes.legend(
        fontsize=TICK_SIZE, frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.13)
    )
