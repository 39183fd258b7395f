"""The panels of a comparison figure, each drawn into axes that the caller gives.

Models are told apart by letter, colour, marker and line, so that no panel relies on colour alone.
"""

import textwrap

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from mnist_lightning.comparison.schema import Comparison
from mnist_lightning.reporting.comparison_look import SMALL_SIZE, look
from mnist_lightning.reporting.comparison_rows import MIB
from mnist_lightning.reporting.style import DARK_GREY, TICK_SIZE, label_axes

NAME_WIDTH = 17


def draw_accuracy(axes: Axes, comparison: Comparison) -> None:
    """Draw test accuracies with their intervals and, hollow, those without label errors."""
    label_axes(axes, "Test accuracy, 95 % Wilson interval", "accuracy (%)", "")
    for place, model in enumerate(comparison.models):
        style = look(place)
        accuracy, interval = 100 * model.test.accuracy, model.test.interval
        axes.errorbar(
            accuracy,
            place,
            xerr=[[accuracy - 100 * interval.low], [100 * interval.high - accuracy]],
            color=style.colour,
            marker=style.marker,
            markersize=9,
            capsize=6,
            linewidth=2,
        )
        cleaned = model.without_label_errors
        if cleaned:
            axes.plot(
                100 * cleaned.accuracy,
                place + 0.16,
                marker=style.marker,
                markersize=9,
                markerfacecolor="white",
                color=style.colour,
                clip_on=False,
            )
        axes.text(
            0.02,
            place - 0.22,
            f"{accuracy:.2f} %, {model.test.n - model.test.correct:,} errors",
            transform=axes.get_yaxis_transform(),
            fontsize=SMALL_SIZE,
            va="bottom",
            color=DARK_GREY,
        )
    if comparison.dataset.is_standard:
        axes.set_xlabel("accuracy (%); hollow: without known label errors")
    names = [
        "\n".join(textwrap.wrap(f"{look(place).letter}: {model.title}", NAME_WIDTH))
        for place, model in enumerate(comparison.models)
    ]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.6)
    axes.grid(axis="x", alpha=0.3)


def draw_tradeoff(axes: Axes, comparison: Comparison) -> None:
    """Draw accuracy against the latency of one image on one thread."""
    label_axes(
        axes,
        "Accuracy against latency, median to p95",
        "ms for one image, one CPU thread",
        "accuracy (%)",
    )
    axes.set_xscale("log")
    for place, model in enumerate(comparison.models):
        style, point = look(place), model.point(1, 1)
        accuracy, interval = 100 * model.test.accuracy, model.test.interval
        axes.errorbar(
            point.p50_ms,
            accuracy,
            xerr=[[0.0], [point.p95_ms - point.p50_ms]],
            yerr=[[accuracy - 100 * interval.low], [100 * interval.high - accuracy]],
            color=style.colour,
            marker=style.marker,
            markersize=9,
            linewidth=1.5,
            label=style.letter,
        )
    axes.legend(fontsize=TICK_SIZE, loc="center right")
    axes.margins(x=0.15, y=0.1)
    low, high = axes.get_xlim()
    # Room for the legend.
    axes.set_xlim(low, high * (high / low) ** 0.3)
    _plain_log(axes, "x")
    axes.grid(alpha=0.3)


def draw_size(axes: Axes, comparison: Comparison) -> None:
    """Draw parameters, multiply-accumulates and file size relative to the baseline."""
    models = comparison.models
    label_axes(axes, f"Size: times that of {look(0).letter}", "times the baseline (log)", "")
    kinds = (
        ("parameters", [float(m.cost.parameters.total) for m in models], _short),
        ("MACs/image", [float(m.cost.multiply_accumulates) for m in models], _short),
        ("file", [float(m.cost.file_bytes) for m in models], _bytes),
    )
    height = 0.8 / len(models)
    longest = max(max(values) / values[0] for _, values, _ in kinds)
    shortest = min(min(values) / values[0] for _, values, _ in kinds)
    for row, (_, values, describe) in enumerate(kinds):
        for place, value in enumerate(values):
            style = look(place)
            y = row + (place - (len(models) - 1) / 2) * height
            ratio = value / values[0]
            axes.barh(y, ratio, 0.9 * height, left=0, color=style.colour, alpha=0.85)
            axes.text(
                ratio * 1.1,
                y,
                f"{style.letter} {describe(value)}",
                va="center",
                fontsize=SMALL_SIZE,
            )
    axes.set_xscale("log")
    left, right = min(shortest, 1) / 3, max(longest, 1)
    # Room for the text right of the longest bar.
    axes.set_xlim(left, right * (right / left) ** 0.55)
    axes.set_yticks(range(len(kinds)), [name for name, _, _ in kinds])
    axes.invert_yaxis()
    _plain_log(axes, "x")


def draw_throughput(axes: Axes, comparison: Comparison) -> None:
    """Draw images per second against the batch size, with all threads."""
    threads = comparison.benchmark.threads[-1]
    plural = "s"[: threads != 1]
    label_axes(axes, f"Throughput, {threads} thread{plural}", "images in a batch", "images/s")
    for place, model in enumerate(comparison.models):
        style = look(place)
        points = [point for point in model.latency if point.threads == threads]
        axes.plot(
            [point.batch_size for point in points],
            [point.images_per_second for point in points],
            color=style.colour,
            linestyle=style.line,
            marker=style.marker,
            label=style.letter,
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    _plain_log(axes, "y")
    axes.legend(fontsize=TICK_SIZE)
    axes.grid(alpha=0.3)


def draw_class_f1(axes: Axes, comparison: Comparison) -> None:
    """Draw F1 of each digit side by side."""
    label_axes(axes, "F1 of each digit", "digit", "F1")
    shift = 0.6 / len(comparison.models)
    for place, model in enumerate(comparison.models):
        style = look(place)
        offset = (place - (len(comparison.models) - 1) / 2) * shift
        axes.plot(
            [digit.digit + offset for digit in model.test.per_class],
            [digit.f1 for digit in model.test.per_class],
            linestyle="",
            color=style.colour,
            marker=style.marker,
            markersize=7,
            label=style.letter,
        )
    axes.set_xticks(range(10))
    axes.legend(fontsize=TICK_SIZE)
    axes.grid(axis="y", alpha=0.3)


def _plain_log(axes: Axes, which: str) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    # Powers of ten alone leave a short axis with a single tick, and all steps crowd a long one.
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axis.set_minor_locator(NullLocator())


def _short(value: float) -> str:
    size, letter = next(
        (found for found in ((1e9, " G"), (1e6, " M"), (1e3, " k")) if value >= found[0]), (1, "")
    )
    return f"{value / size:.3g}{letter}"


def _bytes(value: float) -> str:
    return f"{value / MIB:.1f} MiB" if value >= MIB else f"{value / 1024:.0f} KiB"
