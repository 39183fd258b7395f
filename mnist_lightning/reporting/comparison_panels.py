"""The panels of a comparison figure, each drawn into axes that the caller gives.

Models are told apart by letter, colour, marker and line, so that no panel relies on colour alone.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from mnist_lightning.evaluation.comparison import ComparedModel, Comparison
from mnist_lightning.reporting.comparison_rows import MIB
from mnist_lightning.reporting.style import (
    BLUE,
    DARK_GREY,
    LIGHT_GREY,
    TICK_SIZE,
    VERMILLION,
    label_axes,
)

SMALL_SIZE = 10.5
# A point that stands for fewer images than this says next to nothing about them.
FEWEST_IN_BIN = 10
NAME_WIDTH = 17


@dataclass(frozen=True)
class Look:
    """How a model is drawn.

    Attributes:
        letter: Short name in every panel.
        colour: Of Okabe and Ito's palette; the first four differ in lightness as well.
        marker: Matplotlib's marker.
        line: Matplotlib's line style.
    """

    letter: str
    colour: str
    marker: str
    line: str


_COLOURS = (BLUE, VERMILLION, "#000000", "#56B4E9", "#CC79A7", "#009E73")
_MARKERS = "osD^vP"
_LINES = ("-", "--", ":", "-.")


def look(place: int) -> Look:
    """Return how the model at a place, from 0, is drawn."""
    return Look(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[place % 26],
        _COLOURS[place % len(_COLOURS)],
        _MARKERS[place % len(_MARKERS)],
        _LINES[place % len(_LINES)],
    )


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
    axes.legend(fontsize=TICK_SIZE)
    axes.margins(x=0.25, y=0.1)
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


def draw_agreement(axes: Axes, comparison: Comparison) -> None:
    """Draw the 2x2 table of two models, or for more how many images each gets right alone."""
    if len(comparison.models) == 2:
        _draw_table(axes, comparison)
    else:
        _draw_matrix(axes, comparison)


def draw_reliability(axes: Axes, comparison: Comparison) -> None:
    """Draw the share of right answers against confidence, as the models give it."""
    label_axes(axes, "Reliability", "mean confidence of a bin", "share of it that is right")
    axes.plot([0, 1], [0, 1], color=DARK_GREY, linewidth=1)
    for place, model in enumerate(comparison.models):
        style = look(place)
        bins = [found for found in model.calibration.raw.bins if found.count >= FEWEST_IN_BIN]
        axes.plot(
            [found.confidence for found in bins],
            [found.accuracy for found in bins],
            color=style.colour,
            linestyle=style.line,
            marker=style.marker,
            label=f"{style.letter} {model.calibration.raw.ece:.4f} → "
            f"{model.calibration.scaled.ece:.4f}",
        )
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(
        fontsize=SMALL_SIZE,
        loc="lower right",
        title="ECE, raw → scaled",
        title_fontsize=SMALL_SIZE,
    )
    axes.grid(alpha=0.3)


def draw_coverage(axes: Axes, comparison: Comparison) -> None:
    """Draw the errors left when the least confident images are refused."""
    label_axes(axes, "Refusing the unsure", "images answered (%)", "errors among them (%)")
    for place, model in enumerate(comparison.models):
        style, points = look(place), model.calibration.coverage
        axes.plot(
            [100 * point.coverage for point in points],
            [100 * point.errors / point.n for point in points],
            color=style.colour,
            linestyle=style.line,
            marker=style.marker,
            markersize=5,
            label=style.letter,
        )
    axes.legend(fontsize=TICK_SIZE, loc="upper left")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)


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


def legend_text(models: Sequence[ComparedModel]) -> str:
    """Name the models behind the letters, in one line."""
    return ";  ".join(f"{look(place).letter}: {model.title}" for place, model in enumerate(models))


def _draw_table(axes: Axes, comparison: Comparison) -> None:
    (pair,) = comparison.pairs
    table = pair.agreement
    first, second = look(0).letter, look(1).letter
    cells = [[table.both_right, table.only_first], [table.only_second, table.both_wrong]]
    label_axes(axes, "Agreement (images)", f"{second} is", f"{first} is")
    _draw_cells(axes, cells, coloured=[(0, 1), (1, 0)])
    axes.set_xticks([0, 1], ["right", "wrong"])
    axes.set_yticks([0, 1], ["right", "wrong"])


def _draw_matrix(axes: Axes, comparison: Comparison) -> None:
    names = [model.name for model in comparison.models]
    cells: list[list[int | None]] = [[None] * len(names) for _ in names]
    for pair in comparison.pairs:
        row, column = names.index(pair.first), names.index(pair.second)
        cells[row][column] = pair.agreement.only_first
        cells[column][row] = pair.agreement.only_second
    label_axes(axes, "Row right, column wrong", "wrong", "right")
    everywhere = [(i, j) for i in range(len(names)) for j in range(len(names)) if i != j]
    _draw_cells(axes, cells, coloured=everywhere)
    letters = [look(place).letter for place in range(len(names))]
    axes.set_xticks(range(len(names)), letters)
    axes.set_yticks(range(len(names)), letters)


def _draw_cells(
    axes: Axes,
    cells: Sequence[Sequence[int | None]],
    coloured: Sequence[tuple[int, int]],
) -> None:
    shown = np.zeros((len(cells), len(cells)))
    for row, column in coloured:
        shown[row, column] = cells[row][column] or 0
    # Twice the largest, so that black text is readable on the darkest cell too.
    axes.imshow(shown, cmap="Oranges", vmin=0, vmax=max(2 * shown.max(), 1))
    for row, values in enumerate(cells):
        for column, value in enumerate(values):
            if value is not None:
                axes.text(column, row, f"{value:,}", ha="center", va="center", fontsize=14)
    axes.tick_params(length=0)
    for edge in range(1, len(cells)):
        axes.axhline(edge - 0.5, color=LIGHT_GREY)
        axes.axvline(edge - 0.5, color=LIGHT_GREY)


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
