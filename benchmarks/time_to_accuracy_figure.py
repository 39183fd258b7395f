"""The figure of `benchmarks.time_to_accuracy`: test accuracy against training time."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MultipleLocator, NullFormatter

from mnist_lightning.reporting.style import (
    DARK_GREY,
    LIGHT_GREY,
    TICK_SIZE,
    label_axes,
    look,
    new_figure,
)

LOWEST, HIGHEST = 0.98, 0.9985  # 15 of the 10,000 test labels are wrong


def plot_accuracy(
    runs: Mapping[str, Sequence[Mapping[str, Any]]],
    clocks: Mapping[str, str],
    thresholds: Sequence[float],
) -> Figure:
    """Plot the accuracy after each epoch, as the median over the seeds, with a panel per clock.

    Args:
        runs: The trainings of each recipe, by its title, with ``laps`` and ``test_accuracy``.
        clocks: The titles of the clocks of a lap.
        thresholds: Accuracies to mark.

    Returns:
        The figure.
    """
    figure = new_figure(13, 6, "Test accuracy after each epoch, median over the seeds")
    panels = figure.subplots(1, len(clocks), sharey=True, squeeze=False)[0]
    for axes, (clock, title) in zip(panels, clocks.items(), strict=True):
        for place, (recipe, trainings) in enumerate(runs.items()):
            _draw(axes, trainings, clock, recipe, place)
        _format_axes(axes, thresholds)
        label_axes(axes, title, "seconds", "test accuracy" if axes is panels[0] else "")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=TICK_SIZE)
    return figure


def _draw(
    axes: Axes, trainings: Sequence[Mapping[str, Any]], clock: str, recipe: str, place: int
) -> None:
    epochs = range(min(len(one["laps"]) for one in trainings))
    seconds = [median(one["laps"][epoch][clock] for one in trainings) for epoch in epochs]
    accuracy = [median(one["test_accuracy"][epoch] for one in trainings) for epoch in epochs]
    looks = look(place)
    label = f"{recipe} ({len(trainings)} seed{'s'[: len(trainings) != 1]})"
    axes.plot(
        seconds, accuracy, color=looks.colour, marker=looks.marker, ls=looks.line, label=label
    )


def _format_axes(axes: Axes, thresholds: Sequence[float]) -> None:
    axes.set_xscale("log")
    axes.set_ylim(LOWEST, HIGHEST)
    for threshold in thresholds:
        axes.axhline(threshold, color=DARK_GREY, linewidth=0.8, linestyle=":")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_locator(MultipleLocator(0.002))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda accuracy, _: f"{accuracy:.1%}"))
    axes.grid(color=LIGHT_GREY)
