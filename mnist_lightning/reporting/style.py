"""What all figures share: sizes, colours, titles, how models are told apart, how a digit is drawn.

The functions of this package take numbers and return a :class:`~matplotlib.figure.Figure`, like
the Display objects of scikit-learn. They keep no global state and write no file: the caller saves
the figure, with ``figure.savefig(path, dpi=DPI)``, or logs it to TensorBoard.
"""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from mnist_lightning.data.digits import Pixels
from mnist_lightning.evaluation.metrics import Interval

Floats = npt.NDArray[np.float64]

DPI = 150

# Okabe and Ito's palette keeps these apart for every kind of colour vision, and printed in grey
# they differ in lightness (Wong: Points of view: Color blindness, Nature Methods 8, 2011).
BLUE = "#0072B2"
VERMILLION = "#D55E00"
DARK_GREY = "#404040"
LIGHT_GREY = "#E6E6E6"

TITLE_SIZE = 15
_TITLE_LETTERS = 7.9
"""Letters of a title that fit into an inch."""
LABEL_SIZE = 12.5
TICK_SIZE = 11.5
SMALL_SIZE = 10.5

# The first four differ in lightness as well.
_COLOURS = (BLUE, VERMILLION, "#000000", "#56B4E9", "#CC79A7", "#009E73", "#E69F00", "#7F7F7F")
_MARKERS = "osD^vPX*"
_LINES = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class Look:
    """How a model is drawn, so that no figure relies on colour alone.

    Attributes:
        letter: Short name in every panel.
        colour: Matplotlib's colour.
        marker: Matplotlib's marker.
        line: Matplotlib's line style.
        is_open: Whether the marker is an outline.
    """

    letter: str
    colour: str
    marker: str
    line: str
    is_open: bool = False

    @property
    def points(self) -> dict[str, Any]:
        """Keyword arguments of Matplotlib for markers without a line style."""
        outline = {"fillstyle": "none"} if self.is_open else {}
        return {"color": self.colour, "marker": self.marker, **outline}

    @property
    def lines(self) -> dict[str, Any]:
        """Keyword arguments of Matplotlib for markers and lines."""
        return {**self.points, "linestyle": self.line}


def look(place: int) -> Look:
    """Return how the model at a place, from 0, is drawn; the colours repeat with open markers."""
    repeats = place // len(_COLOURS)
    return Look(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[place % 26],
        _COLOURS[place % len(_COLOURS)],
        _MARKERS[place % len(_MARKERS)],
        _LINES[(place + repeats) % len(_LINES)],
        is_open=repeats % 2 == 1,
    )


def letters(count: int) -> list[str]:
    """Return the letters of the first models."""
    return [look(place).letter for place in range(count)]


def legend_text(titles: Iterable[str]) -> str:
    """Name the models behind the letters, on one line."""
    return ";  ".join(f"{look(place).letter}: {title}" for place, title in enumerate(titles))


def drawable(text: str) -> str:
    """Prepare a title or a file name, in which dollar signs do not start a formula.

    Characters that the font cannot draw, line breaks excepted, become ``?``.
    """
    font = get_font(findfont(FontProperties()))
    text = "".join(one if one == "\n" or font.get_char_index(ord(one)) else "?" for one in text)
    return text.replace("$", r"\$")


def headline(model_title: str, dataset: str, images: int, split: str = "test") -> str:
    """Return the title of a figure about one model.

    Args:
        model_title: The model's name for people, e.g. ``Custom CNN``.
        dataset: e.g. ``MNIST (06b0d1f1)``.
        images: How many images the figure is about.
        split: Which images: ``test``, ``validation`` or ``training``.

    Returns:
        e.g. ``Custom CNN on MNIST (06b0d1f1), 10,000 test images``.
    """
    return f"{model_title} on {dataset}, {images:,} {split} image{'s'[: images != 1]}"


def new_figure(width: float, height: float, title: str = "") -> Figure:
    """Create an empty figure with a constrained layout, which keeps its contents apart.

    Args:
        width: In inches.
        height: In inches.
        title: What it shows, wrapped to the width; a panel on its own needs none.

    Returns:
        The figure, not attached to any window.
    """
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    if title:
        title = textwrap.fill(drawable(title), round(_TITLE_LETTERS * width))
        figure.suptitle(title, fontsize=TITLE_SIZE, fontweight="bold")
    return figure


def label_axes(axes: Axes, title: str, x: str, y: str) -> None:
    """Give axes a title and labels in readable sizes.

    Args:
        axes: What to label.
        title: What it shows.
        x: Label of the horizontal axis, with its unit.
        y: Label of the vertical axis, with its unit.
    """
    axes.set_title(title, fontsize=LABEL_SIZE)
    axes.set_xlabel(x, fontsize=LABEL_SIZE)
    axes.set_ylabel(y, fontsize=LABEL_SIZE)
    axes.tick_params(labelsize=TICK_SIZE)


def add_legend(axes: Axes, models: int, ncols: int = 4, **inside: Any) -> None:
    """Add the legend of a panel: below the axes for more than three models, else within.

    Args:
        axes: With labelled artists.
        models: Number of models.
        ncols: Number of columns below the axes.
        inside: Keyword arguments of Matplotlib for the place within the axes.
    """
    if models > 3:
        # Within, it would cover some of the data.
        inside |= {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2), "ncols": ncols}
    axes.legend(**{"fontsize": TICK_SIZE, **inside})


def error_bars(shares: Floats, intervals: Sequence[Interval]) -> Floats:
    """Return how far intervals reach below and above shares, in percentage points, ``(2, N)``."""
    low = shares - [interval.low for interval in intervals]
    high = [interval.high for interval in intervals] - shares
    # Rounding can move an end that equals the share to its other side.
    return 100 * np.maximum([low, high], 0)


def label_log_ticks(axis: Axis) -> None:
    """Give a logarithmic axis, whose limits are set, enough ticks, labelled without powers."""
    low, high = axis.get_view_interval()
    # Powers of ten alone leave a short axis with a single tick, and all steps crowd a long one.
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axis.set_major_formatter(FormatStrFormatter("%g"))
    axis.set_minor_locator(NullLocator())


def draw_digit(axes: Axes, pixels: Pixels) -> None:
    """Draw an image, uint8 ``(28, 28)``, as black ink on white, without ticks."""
    axes.imshow(pixels, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
