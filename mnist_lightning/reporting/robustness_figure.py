"""Figures of robustness: error rates, what the corruptions look like, and saliency."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from mnist_lightning.comparison.titles import short_titles
from mnist_lightning.data.digits import Pixels
from mnist_lightning.evaluation.metrics import Interval
from mnist_lightning.reporting import style
from mnist_lightning.reporting.robustness_text import has_rejection, robustness_heading, title
from mnist_lightning.reporting.tables import percent
from mnist_lightning.robustness.error_rates import RobustModel, Robustness
from mnist_lightning.robustness.selective_errors import SelectiveErrorRate


def plot_robustness(record: Robustness, units: dict[str, str]) -> Figure:
    """Draw the error rate under each corruption, what is answered, and the error over each sweep.

    Args:
        record: What was measured. Without any rejection rule, error rates alone are drawn.
        units: What the strengths of each sweep count.
    """
    sweeps = list(record.models[0].sweeps)
    figure = style.new_figure(13, 12, f"Robustness: {robustness_heading(record)}")
    grid = figure.add_gridspec(2, max(len(sweeps), 3), height_ratios=(2.2, 1))
    panels = _PANELS if has_rejection(record) else _PANELS[:1]
    # Error rates alone get the whole width.
    top = grid[0, :].subgridspec(1, len(panels))
    for place, panel in enumerate(panels):
        _draw_panel(figure.add_subplot(top[0, place]), record, panel)
    for axes in figure.axes[1:]:
        axes.tick_params(axis="y", length=0, labelleft=False)
    for place, name in enumerate(sweeps):
        _draw_sweep(figure.add_subplot(grid[1, place]), record, name, units[name])
    handles, labels = figure.axes[0].get_legend_handles_labels()
    # One below the other: the title of a ResNet50 is long.
    figure.legend(handles, labels, loc="outside lower center", fontsize=style.TICK_SIZE)
    return figure


class _Panel(NamedTuple):
    """One share for each corruption and model.

    Attributes:
        heading: Title of the panel.
        label: What the share is.
        is_error: Whether small shares matter most, so that the axis spreads them.
        read: The share of one corruption and its interval; None if they are not known.
        mean: The share over all corruptions, drawn as a line; None if it is not known.
    """

    heading: str
    label: str
    is_error: bool
    read: Callable[[SelectiveErrorRate], tuple[float | None, Interval | None]]
    mean: Callable[[RobustModel], float | None]


_RATE = "error rate (square-root scale)"
_PANELS = (
    _Panel(
        "All images (lines: all corruptions)",
        _RATE,
        True,
        lambda one: (one.rate, one.interval),
        lambda model: model.mean_error,
    ),
    _Panel(
        "Confident enough to answer",
        "share of the images",
        False,
        lambda one: (one.coverage, None),
        lambda model: model.mean_coverage,
    ),
    _Panel(
        "Wrong among the answered",
        _RATE,
        True,
        lambda one: (one.answered_rate, one.answered_interval),
        lambda model: model.answered_error,
    ),
)


def _draw_panel(axes: Axes, record: Robustness, panel: _Panel) -> None:
    corruptions = list(record.models[0].corruptions)
    rows = np.arange(len(corruptions) + 1)
    count, titles = len(record.models), short_titles(record.models)
    for place, model in enumerate(record.models):
        rates, look = [model.clean, *model.corruptions.values()], style.look(place)
        read = [(row, *panel.read(rate)) for row, rate in enumerate(rates)]
        known = [(row, share, interval) for row, share, interval in read if share is not None]
        x = np.array([share for _, share, _ in known])
        intervals = [interval for _, _, interval in known]
        y = np.array([row for row, _, _ in known]) + 0.7 * ((place + 0.5) / count - 0.5)
        bars = style.error_bars(x, [one for one in intervals if one]) if all(intervals) else None
        marks = look.points | {
            "linestyle": "",
            "capsize": 3,
            "label": _label(record, model, titles[model.name]),
        }
        axes.errorbar(100 * x, y, xerr=bars, **marks)
        if (mean := panel.mean(model)) is not None:
            axes.axvline(100 * mean, color=look.colour, linestyle=look.line, alpha=0.6)
    axes.set_yticks(rows, ["Clean", *map(title, corruptions)])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(color=style.LIGHT_GREY)
    axes.set_axisbelow(True)
    if panel.is_error:
        # Of the absolute value, because an axis reaches a little below 0.
        root, square = lambda x: np.sign(x) * abs(x) ** 0.5, lambda x: np.sign(x) * x**2
        axes.set_xscale("function", functions=(root, square))
        axes.set_xlim(-0.1, 102)
        axes.set_xticks([0, 1, 5, 20, 50, 100])
    else:
        axes.set_xlim(-2, 102)
    axes.xaxis.set_major_formatter(PercentFormatter(decimals=0))
    style.label_axes(axes, panel.heading, panel.label, "")


def _label(record: Robustness, model: RobustModel, name: str) -> str:
    error = f"clean {percent(model.clean.rate)} %, mean {percent(model.mean_error)} % wrong"
    text = f"{style.drawable(name)}: {error}"
    if model.rejection is None:
        return f"{text}; without a threshold" if has_rejection(record) else text
    answered = f"{percent(model.mean_coverage or 0)} % answered"
    wrong = (
        ""
        if model.answered_error is None
        else f", {percent(model.answered_error)} % of these wrong"
    )
    return f"{text}; {answered}{wrong}"


def _draw_sweep(axes: Axes, record: Robustness, name: str, unit: str) -> None:
    for place, model in enumerate(record.models):
        strengths = [point.strength for point in model.sweeps[name]]
        errors = [point.error for point in model.sweeps[name]]
        rates = np.array([error.rate for error in errors])
        bars = style.error_bars(rates, [error.interval for error in errors])
        axes.errorbar(strengths, 100 * rates, yerr=bars, capsize=3, **style.look(place).lines)
    axes.set_ylim(bottom=0)
    axes.grid(color=style.LIGHT_GREY)
    axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    style.label_axes(axes, name.capitalize(), unit, "error rate")


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
