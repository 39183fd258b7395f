"""What confidence is worth: the panels of reliability and of refusal."""

from matplotlib.axes import Axes

from mnist_lightning.comparison.schema import Comparison
from mnist_lightning.reporting.comparison_look import SMALL_SIZE, look
from mnist_lightning.reporting.style import DARK_GREY, TICK_SIZE, label_axes

# A point that stands for fewer images than this says next to nothing about them.
FEWEST_IN_BIN = 10


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
    axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04))
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
