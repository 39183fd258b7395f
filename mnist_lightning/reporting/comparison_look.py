"""How models are told apart in figures: by letter, colour, marker and line."""

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_lightning.comparison.schema import ComparedModel
from mnist_lightning.reporting.style import BLUE, VERMILLION

SMALL_SIZE = 10.5


@dataclass(frozen=True)
class Look:
    """How a model is drawn.

    Attributes:
        letter: Short name in every panel.
        colour: Of Okabe and Ito's palette, and a grey; the first four differ in lightness as well.
        marker: Matplotlib's marker.
        line: Matplotlib's line style.
    """

    letter: str
    colour: str
    marker: str
    line: str


_COLOURS = (BLUE, VERMILLION, "#000000", "#56B4E9", "#CC79A7", "#009E73", "#E69F00", "#7F7F7F")
_MARKERS = "osD^vPX*"
_LINES = ("-", "--", ":", "-.")


def look(place: int) -> Look:
    """Return how the model at a place, from 0, is drawn."""
    return Look(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[place % 26],
        _COLOURS[place % len(_COLOURS)],
        _MARKERS[place % len(_MARKERS)],
        _LINES[place % len(_LINES)],
    )


def legend_text(models: Sequence[ComparedModel]) -> str:
    """Name the models behind the letters, in one line."""
    return ";  ".join(f"{look(place).letter}: {model.title}" for place, model in enumerate(models))
