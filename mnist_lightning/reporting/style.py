"""What all figures have in common.

The functions of this package take numbers and return a :class:`~matplotlib.figure.Figure`, like
the Display objects of scikit-learn. They keep no global state and write no file: the caller saves
the figure, with ``figure.savefig(path, dpi=DPI)``, or hands it to TensorBoard.
"""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

DPI = 150

# Okabe and Ito's palette keeps these apart for every kind of colour vision, and printed in grey
# they differ in lightness (Wong: Points of view: Color blindness, Nature Methods 8, 2011).
BLUE = "#0072B2"
VERMILLION = "#D55E00"
DARK_GREY = "#404040"
LIGHT_GREY = "#E6E6E6"

TITLE_SIZE = 15
LABEL_SIZE = 12.5
TICK_SIZE = 11.5


def headline(model_title: str, dataset: str, images: int, split: str = "test") -> str:
    """Say what a figure shows, for its title.

    Args:
        model_title: The model's name for people, e.g. ``Custom CNN``.
        dataset: e.g. ``MNIST (06b0d1f1)``.
        images: How many images the figure is about.
        split: Which images: ``test``, ``validation`` or ``training``.

    Returns:
        e.g. ``Custom CNN on MNIST (06b0d1f1), 10,000 test images``.
    """
    return f"{model_title} on {dataset}, {images:,} {split} image{'s'[: images != 1]}"


def new_figure(width: float, height: float, title: str) -> Figure:
    """Make an empty figure whose contents keep out of each other's way.

    Args:
        width: In inches.
        height: In inches.
        title: What it shows.

    Returns:
        The figure, not attached to any window.
    """
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    figure.suptitle(title, fontsize=TITLE_SIZE, fontweight="bold")
    return figure


def label_axes(axes: Axes, title: str, x: str, y: str) -> None:
    """Give axes their title and labels in readable sizes.

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
