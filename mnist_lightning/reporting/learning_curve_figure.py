"""The learning curves as a figure: error rate and training time against labelled digits."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from mnist_lightning.learning_curve.arms import ARMS
from mnist_lightning.learning_curve.curve_schema import LearningCurve, Point
from mnist_lightning.reporting import style


def plot_learning_curve(curve: LearningCurve) -> Figure:
    """Plot the error rates of all arms over their training times, with a shared horizontal axis.

    Args:
        curve: The statistics; arms and sizes may be missing.

    Returns:
        A figure that is 10 inches wide.
    """
    heading = f"Errors after training on few labelled digits, {curve.dataset}"
    figure = style.new_figure(10, 10.5, heading)
    errors, seconds = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    titles = {arm.name: (place, arm.title) for place, arm in enumerate(ARMS)}
    for name in curve.arms:
        place, title = titles[name]
        _draw_errors(errors, curve.of(name), style.look(place), title)
        # Seconds on two devices do not compare.
        points = [point for point in curve.of(name) if point.devices == curve.devices[:1]]
        times = [max(point.seconds, 1e-3) for point in points]
        seconds.plot([point.size for point in points], times, **style.look(place).lines)
    _scale(errors, sorted({point.size for point in curve.points}))
    seconds.set_yscale("log")
    style.label_log_ticks(seconds.yaxis)
    note = f"bars: 95 % t interval over seeds; points: each seed; {curve.tested:,} test images"
    pretrained = curve.pretrained_weights
    note += f"\npretrained: {pretrained}" if pretrained else ""
    style.label_axes(errors, note, "", "error rate in %")
    others = "; not shown: trainings on other devices" if len(curve.devices) > 1 else ""
    on = f"Training time on {curve.devices[0]}{others}"
    style.label_axes(seconds, on, "labelled digits", "seconds of training")
    for axes in (errors, seconds):
        axes.grid(color=style.LIGHT_GREY, which="major")
        axes.set_axisbelow(True)
    handles, labels = errors.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=style.TICK_SIZE)
    return figure


def _draw_errors(axes: Axes, points: list[Point], look: style.Look, title: str) -> None:
    sizes = [point.size for point in points]
    means = 100 * np.array([point.mean for point in points])
    low = 100 * np.array([point.mean if point.low is None else point.low for point in points])
    high = 100 * np.array([point.mean if point.high is None else point.high for point in points])
    # An interval of two or three seeds can reach 0, which a logarithmic axis does not have.
    low = np.maximum(low, means / 10)
    bars = [means - low, high - means]
    axes.errorbar(sizes, means, yerr=bars, capsize=3, label=title, **look.lines)
    for point in points:
        rates = [100 * rate for rate in point.error_rates]
        axes.plot([point.size] * len(rates), rates, ".", color=look.colour, alpha=0.3)


def _scale(axes: Axes, sizes: list[int]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(0.8 * sizes[0], 1.25 * sizes[-1])
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], minor=False)
    axes.set_xticks([], minor=True)
    style.label_log_ticks(axes.yaxis)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
