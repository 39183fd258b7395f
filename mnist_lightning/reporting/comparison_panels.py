"""The panels of a comparison about accuracy and cost."""

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, FormatStrFormatter

from mnist_lightning.comparison.schema import ComparedModel, Comparison
from mnist_lightning.comparison.titles import short_titles
from mnist_lightning.data.digits import CLASSES
from mnist_lightning.reporting import style
from mnist_lightning.terminal.wording import count

NAME_WIDTH = 17


def draw_accuracy(axes: Axes, comparison: Comparison) -> None:
    """Draw test accuracies with their intervals and, hollow, those without label errors."""
    style.label_axes(axes, "Test accuracy, 95 % Wilson interval", "accuracy (%)", "")
    names, titles = [], short_titles(comparison.models)
    for place, model in enumerate(comparison.models):
        model_look, accuracy = style.look(place), 100 * model.test.accuracy
        bar: dict[str, Any] = {"xerr": _interval(model), "capsize": 6, "linewidth": 2}
        axes.errorbar(accuracy, place, markersize=9, **bar, **model_look.points)
        if model.without_label_errors:
            cleaned = 100 * model.without_label_errors.accuracy
            hollow = model_look.points | {"markerfacecolor": "white"}
            axes.plot(cleaned, place + 0.16, markersize=9, clip_on=False, **hollow)
        errors = f"{accuracy:.2f} %, {model.test.errors:,} errors"
        font: dict[str, Any] = {"fontsize": style.SMALL_SIZE, "color": style.DARK_GREY}
        across = axes.get_yaxis_transform()
        axes.text(0.02, place - 0.22, errors, va="bottom", transform=across, **font)
        name = f"{model_look.letter}: {style.drawable(titles[model.name])}"
        names.append(textwrap.fill(name, NAME_WIDTH))
    if comparison.dataset.is_standard:
        axes.set_xlabel("accuracy (%); hollow: without known label errors")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.6)
    axes.grid(axis="x", alpha=0.3)


def draw_tradeoff(axes: Axes, comparison: Comparison) -> None:
    """Draw accuracy against the latency of one image on one thread."""
    title = "Accuracy against latency, median to p95"
    style.label_axes(axes, title, "ms for one image, one CPU thread", "accuracy (%)")
    axes.set_xscale("log")
    for place, model in enumerate(comparison.models):
        model_look, point = style.look(place), model.point(1, 1)
        axes.errorbar(
            point.p50_ms,
            100 * model.test.accuracy,
            xerr=[[0.0], [point.p95_ms - point.p50_ms]],
            yerr=_interval(model),
            markersize=9,
            linewidth=1.5,
            label=model_look.letter,
            **model_look.points,
        )
    models = len(comparison.models)
    style.add_legend(axes, models, loc="center right")
    axes.margins(x=0.15, y=0.1)
    low, high = axes.get_xlim()
    # Room for the legend.
    axes.set_xlim(low, high * (high / low) ** (0.3 if models <= 3 else 0.05))
    style.label_log_ticks(axes.xaxis)
    axes.grid(alpha=0.3)


def draw_size(axes: Axes, comparison: Comparison) -> None:
    """Draw parameters, multiply-accumulates and file size relative to the baseline."""
    models = comparison.models
    style.label_axes(
        axes, f"Size: times that of {style.look(0).letter}", "times the baseline (log)", ""
    )
    kinds = {
        "parameters": ([m.cost.parameters.total for m in models], EngFormatter(places=1)),
        "MACs/image": ([m.cost.multiply_accumulates for m in models], EngFormatter(places=1)),
        "file": ([m.cost.file_bytes for m in models], EngFormatter("B", places=1)),
    }
    height = 0.8 / len(models)
    ratios = [value / values[0] for values, _ in kinds.values() for value in values]
    for row, (values, describe) in enumerate(kinds.values()):
        for place, value in enumerate(values):
            model_look, ratio = style.look(place), value / values[0]
            y = row + (place - (len(models) - 1) / 2) * height
            axes.barh(y, ratio, 0.9 * height, left=0, color=model_look.colour, alpha=0.85)
            text = f"{model_look.letter} {describe(value)}"
            axes.text(ratio * 1.1, y, text, va="center", fontsize=style.SMALL_SIZE)
    axes.set_xscale("log")
    # The baseline itself has the ratio 1.
    left, right = min(ratios) / 3, max(ratios)
    # Room for the text right of the longest bar.
    axes.set_xlim(left, right * (right / left) ** 0.55)
    axes.set_yticks(range(len(kinds)), list(kinds))
    axes.invert_yaxis()
    style.label_log_ticks(axes.xaxis)


def draw_throughput(axes: Axes, comparison: Comparison) -> None:
    """Draw images per second against the batch size, with all threads."""
    threads = comparison.benchmark.threads[-1]
    style.label_axes(
        axes, f"Throughput, {count(threads, 'thread')}", "images in a batch", "images/s"
    )
    for place, model in enumerate(comparison.models):
        points = [point for point in model.latency if point.threads == threads]
        sizes = [point.batch_size for point in points]
        rates = [point.images_per_second for point in points]
        axes.plot(sizes, rates, label=style.look(place).letter, **style.look(place).lines)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    style.label_log_ticks(axes.yaxis)
    style.add_legend(axes, len(comparison.models))
    axes.grid(alpha=0.3)


def draw_class_f1(axes: Axes, comparison: Comparison) -> None:
    """Draw the F1 score of each digit side by side."""
    style.label_axes(axes, "F1 of each digit", "digit", "F1")
    shift = 0.6 / len(comparison.models)
    for place, model in enumerate(comparison.models):
        offset = (place - (len(comparison.models) - 1) / 2) * shift
        scores = [digit.f1 for digit in model.test.per_class]
        marks: dict[str, Any] = {"linestyle": "", "markersize": 7, **style.look(place).points}
        axes.plot(np.arange(CLASSES) + offset, scores, label=style.look(place).letter, **marks)
    axes.set_xticks(range(CLASSES))
    style.add_legend(axes, len(comparison.models))
    axes.grid(axis="y", alpha=0.3)


def _interval(model: ComparedModel) -> style.Floats:
    """Return how far the interval of the accuracy reaches down and up, in percentage points."""
    return style.error_bars(np.array([model.test.accuracy]), [model.test.interval])
