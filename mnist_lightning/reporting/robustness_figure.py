"""Figures of robustness: error rates, what the corruptions look like, and saliency."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from mnist_lightning.data.digits import Pixels
from mnist_lightning.reporting import style
from mnist_lightning.reporting.robustness_text import robustness_heading, title
from mnist_lightning.reporting.tables import percent
from mnist_lightning.robustness.error_rates import ErrorRate, Robustness


def plot_robustness(record: Robustness, units: dict[str, str]) -> Figure:
    """Draw the error rate under each corruption, and over each sweep.

    Args:
        record: What was measured.
        units: What the strengths of each sweep count.
    """
    sweeps = list(record.models[0].sweeps)
    figure = style.new_figure(13, 9, f"Robustness: {robustness_heading(record)}")
    grid = figure.add_gridspec(max(len(sweeps), 1), 2)
    _draw_corruptions(figure.add_subplot(grid[:, 0]), record)
    for place, name in enumerate(sweeps):
        _draw_sweep(figure.add_subplot(grid[place, 1]), record, name, units[name])
    handles, labels = figure.axes[0].get_legend_handles_labels()
    # One below the other: the title of a ResNet50 is long.
    figure.legend(handles, labels, loc="outside lower center", fontsize=style.TICK_SIZE)
    return figure


def _draw_corruptions(axes: Axes, record: Robustness) -> None:
    names = list(record.models[0].corruptions)
    places = np.arange(len(names) + 1)
    count = len(record.models)
    for place, model in enumerate(record.models):
        rates = [model.clean, *model.corruptions.values()]
        mean, model_look = model.mean_corruption_error, style.look(place)
        clean = f"{style.drawable(model.title)}: clean {percent(model.clean.rate)} %"
        marks = model_look.points | {"linestyle": "", "capsize": 3}
        marks["label"] = f"{clean}, mean corruption error {percent(mean)} %"
        x, y = [100 * rate.rate for rate in rates], places + 0.5 * ((place + 0.5) / count - 0.5)
        axes.errorbar(x, y, xerr=_bars(rates), **marks)
        axes.axvline(100 * mean, color=model_look.colour, linestyle=model_look.line, alpha=0.6)
    axes.set_yticks(places, ["Clean", *map(title, names)])
    axes.invert_yaxis()
    axes.grid(color=style.LIGHT_GREY)
    axes.set_axisbelow(True)
    axes.set_xlim(-2, 102)
    axes.xaxis.set_major_formatter(PercentFormatter(decimals=0))
    style.label_axes(axes, "Each corruption (vertical line: mean)", "error rate, 95 % interval", "")


def _draw_sweep(axes: Axes, record: Robustness, name: str, unit: str) -> None:
    for place, model in enumerate(record.models):
        strengths = [point.strength for point in model.sweeps[name]]
        errors = [point.error for point in model.sweeps[name]]
        rates = [100 * error.rate for error in errors]
        axes.errorbar(strengths, rates, yerr=_bars(errors), capsize=3, **style.look(place).lines)
    axes.set_ylim(bottom=0)
    axes.grid(color=style.LIGHT_GREY)
    axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    style.label_axes(axes, name.capitalize(), unit, "error rate")


def _bars(rates: Sequence[ErrorRate]) -> npt.NDArray[np.float64]:
    low = [100 * (rate.rate - rate.interval.low) for rate in rates]
    high = [100 * (rate.interval.high - rate.rate) for rate in rates]
    # Rounding can move an end that equals the rate to its other side.
    return np.maximum([low, high], 0)


def plot_corruptions(rows: dict[str, Pixels], heading: str) -> Figure:
    """Draw the same digits under each corruption.

    Args:
        rows: uint8 ``(N, 28, 28)`` with the same ``N``, by the name of the corruption.
        heading: Title of the figure.

    Returns:
        The figure; two columns of rows.
    """
    half = -(-len(rows) // 2)
    figure = style.new_figure(13, 0.72 * half + 0.8, heading)
    panels = figure.subplots(half, 2, squeeze=False).T.ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, (name, images) in zip(panels, rows.items(), strict=False):
        padded = np.pad(images, ((0, 0), (1, 1), (1, 1)), constant_values=128)
        axes.imshow(np.concatenate(list(padded), axis=1), cmap="gray", vmin=0, vmax=255)
        axes.text(-6, 15, name, ha="right", va="center", fontsize=style.LABEL_SIZE)
    return figure


def plot_saliency(
    images: Pixels,
    models: Sequence[tuple[str, npt.NDArray[np.float32], npt.NDArray[np.int64]]],
    heading: str,
) -> Figure:
    """Draw digits, and for each model the pixels that its prediction is based on.

    Args:
        images: uint8, ``(N, 28, 28)``.
        models: For each model its title, attributions ``(N, 28, 28)`` and predictions ``(N,)``.
        heading: Title of the figure.

    Returns:
        The figure; red is evidence for the prediction, blue against it, each image in its own
        scale.
    """
    figure = style.new_figure(1.2 * len(images) + 2, 1.4 * (len(models) + 1) + 0.9, heading)
    panels = figure.subplots(len(models) + 1, len(images), squeeze=False)
    for axes in panels.ravel():
        axes.set(xticks=[], yticks=[])
    for axes, image in zip(panels[0], images, strict=True):
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
    _label_row(panels[0, 0], "Image")
    for row, (name, attributions, predictions) in zip(panels[1:], models, strict=True):
        _label_row(row[0], name)
        for axes, found, predicted in zip(row, attributions, predictions, strict=True):
            limit = float(np.abs(found).max()) or 1.0
            axes.imshow(found, cmap="RdBu_r", vmin=-limit, vmax=limit)
            axes.set_xlabel(f"says {predicted}", fontsize=style.TICK_SIZE, color=style.DARK_GREY)
    return figure


def _label_row(axes: Axes, text: str) -> None:
    wrapped = style.drawable(text).replace(" (", "\n(").replace(", ", ",\n")
    axes.set_ylabel(
        wrapped, rotation=0, ha="right", va="center", fontsize=style.LABEL_SIZE, labelpad=12
    )
