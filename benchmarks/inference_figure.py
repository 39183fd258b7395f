"""The figure of `benchmarks.cnn_inference`: throughput against batch size."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from mnist_lightning.reporting.style import (
    DARK_GREY,
    LIGHT_GREY,
    TICK_SIZE,
    label_axes,
    look,
    new_figure,
)


def plot_throughput(
    cells: Sequence[Mapping[str, Any]], *, baseline: str, shipped: Sequence[str]
) -> Figure:
    """Plot images per second, a panel for each number of threads.

    Args:
        cells: The measurements: for each number of ``threads`` and each ``batch``, the
            ``images_per_second`` of each of its ``models``.
        baseline: The model that the others are compared with, drawn in grey.
        shipped: The other models to draw; those that were not measured are skipped.

    Returns:
        The figure.
    """
    threads = sorted({cell["threads"] for cell in cells})
    figure = new_figure(5 * len(threads) + 2, 5.5, "Custom CNN on a CPU: images per second")
    panels = figure.subplots(1, len(threads), sharey=True, squeeze=False)[0]
    for axes, count in zip(panels, threads, strict=True):
        of_count = [cell for cell in cells if cell["threads"] == count]
        _draw_panel(axes, of_count, baseline, shipped)
        title = f"{count} thread{'s'[: count != 1]}"
        label_axes(axes, title, "images in a call", "images per second")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=TICK_SIZE)
    return figure


def _draw_panel(
    axes: Axes, cells: Sequence[Mapping[str, Any]], baseline: str, shipped: Sequence[str]
) -> None:
    cells = sorted(cells, key=lambda cell: cell["batch"])
    batches = [cell["batch"] for cell in cells]
    looks = {baseline: (DARK_GREY, "x")}
    for place, name in enumerate(shipped):
        looks[name] = (look(place).colour, look(place).marker)
    for name, (colour, marker) in looks.items():
        if name in cells[0]["models"]:
            rates = [cell["models"][name]["images_per_second"] for cell in cells]
            axes.plot(batches, rates, color=colour, marker=marker, label=name)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(batches, [str(batch) for batch in batches])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:,.0f}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(color=LIGHT_GREY)
