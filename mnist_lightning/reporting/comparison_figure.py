"""A comparison as one figure, and its panels as separate figures."""

from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from mnist_lightning.comparison.schema import Comparison, DisputedImage
from mnist_lightning.comparison.titles import short_titles
from mnist_lightning.data.digits import Pixels
from mnist_lightning.reporting.agreement_panels import (
    draw_agreement,
    draw_coverage,
    draw_reliability,
)
from mnist_lightning.reporting.comparison_panels import (
    draw_accuracy,
    draw_class_f1,
    draw_size,
    draw_throughput,
    draw_tradeoff,
)
from mnist_lightning.reporting.comparison_tables import heading
from mnist_lightning.reporting.style import (
    LABEL_SIZE,
    SMALL_SIZE,
    draw_digit,
    drawable,
    legend_text,
    look,
    new_figure,
)

Draw = Callable[[Axes, Comparison], None]

COLUMNS = 10
#: Panels by key: what the HTML calls them, and how they are drawn.
PANELS: dict[str, tuple[str, Draw]] = {
    "accuracy": ("Test accuracy of each model with its 95 % interval", draw_accuracy),
    "tradeoff": ("Accuracy against the time for one image", draw_tradeoff),
    "size": ("Parameters, multiply-accumulates and file size", draw_size),
    "agreement": ("How often the models are right on the same images", draw_agreement),
    "reliability": ("Share of right predictions against confidence", draw_reliability),
    "coverage": ("Errors that remain when the least confident images are rejected", draw_coverage),
    "throughput": ("Images per second against batch size", draw_throughput),
    "class_f1": ("F1 of each digit", draw_class_f1),
}
_UPPER = ("accuracy", "tradeoff", "size")
_LOWER = ("agreement", "reliability", "coverage", "throughput")


def plot_comparison(comparison: Comparison, images: Pixels) -> Figure:
    """Plot everything that a report needs on one page.

    Args:
        comparison: The comparison.
        images: uint8, ``(N, 28, 28)``, the test images in their order.

    Returns:
        A figure that is 16 inches wide.
    """
    # Each model has a row of its own in the first panel, with a name of up to three lines.
    heights = [max(4.2, 0.95 * len(comparison.models)), 4.4, _tile_height(comparison) + 0.7]
    figure = new_figure(16, sum(heights) + 0.9, heading(comparison))
    grid = figure.add_gridspec(3, 1, height_ratios=heights)
    parts = [figure.add_subfigure(grid[row]) for row in range(3)]
    upper = parts[0].subplots(1, len(_UPPER))
    lower = parts[1].subplots(1, len(_LOWER), width_ratios=[0.8, 1, 1, 1])
    for axes, key in zip((*upper, *lower), (*_UPPER, *_LOWER), strict=True):
        PANELS[key][1](axes, comparison)
    _draw_tiles(parts[2], comparison, images, comparison.disputed[:COLUMNS])
    legend = legend_text(short_titles(comparison.models).values())
    figure.supxlabel(drawable(legend), fontsize=LABEL_SIZE)
    return figure


def plot_panel(comparison: Comparison, key: str) -> Figure:
    """Plot one panel as a separate figure, for narrow screens.

    Args:
        comparison: The comparison.
        key: One of ``PANELS``.

    Returns:
        A figure that is 6.4 inches wide.
    """
    figure = new_figure(6.4, max(4.6, 0.85 * len(comparison.models)))
    PANELS[key][1](figure.subplots(), comparison)
    return figure


def plot_disputed(comparison: Comparison, images: Pixels) -> Figure:
    """Plot all recorded images that some models get right and others wrong.

    Args:
        comparison: The comparison.
        images: uint8, ``(N, 28, 28)``, the test images in their order.

    Returns:
        A figure that is 16 inches wide.
    """
    rows = max(1, -(-len(comparison.disputed) // COLUMNS))
    figure = new_figure(16, rows * _tile_height(comparison) + 0.7)
    part = figure.add_subfigure(figure.add_gridspec(1, 1)[0])
    _draw_tiles(part, comparison, images, comparison.disputed)
    return figure


def _draw_tiles(
    part: SubFigure, comparison: Comparison, images: Pixels, tiles: tuple[DisputedImage, ...]
) -> None:
    total = comparison.disputed_total
    shown = f", {len(tiles)} of them" if len(tiles) < total else ""
    part.suptitle(
        f"Right by some, wrong by others: {total:,} test images{shown} "
        "(letter: prediction, calibrated confidence; × wrong)",
        fontsize=LABEL_SIZE,
        x=0.01,
        ha="left",
    )
    rows = -(-len(tiles) // COLUMNS)
    for place, tile in enumerate(tiles, start=1):
        axes = part.add_subplot(rows, COLUMNS, place)
        draw_digit(axes, images[tile.index])
        axes.set_title(_caption(tile), fontsize=SMALL_SIZE, loc="left", family="monospace")


def _caption(tile: DisputedImage) -> str:
    lines = [f"true {tile.label}"]
    for place, answer in enumerate(tile.answers):
        sign = " " if answer.predicted == tile.label else "×"
        confidence = f"{100 * answer.confidence:.0f}".rjust(3)
        lines.append(f"{look(place).letter}{sign}{answer.predicted} {confidence} %")
    return "\n".join(lines)


def _tile_height(comparison: Comparison) -> float:
    return 1.35 + 0.2 * (1 + len(comparison.models))
