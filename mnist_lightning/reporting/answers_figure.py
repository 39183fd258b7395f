"""What a model was given, what it saw, and what it answered, as a figure."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from mnist_lightning.data.digits import Pixels
from mnist_lightning.handwriting.answers import ReadDigit
from mnist_lightning.reporting.style import BLUE, VERMILLION, draw_digit, drawable, new_figure
from mnist_lightning.reporting.tables import shorten

MAX_SHOWN = 60
_PAIRS = 5  # in a row
_LINE = 0.2


def plot_answers(
    digits: Sequence[ReadDigit],
    cutouts: Sequence[npt.NDArray[np.float32]],
    pixels: Sequence[Pixels],
) -> Figure:
    """Show each digit twice, as it was given and as the model saw it, under the answers.

    Args:
        digits: What was read, at least one; the first 60 are shown.
        cutouts: The part of the page of each, ``(H, W)``, 0 is black and 1 is white.
        pixels: uint8, ``(28, 28)``, what the model was given of each, 0 is background.

    Returns:
        The figure. An answer is blue, "I don't know" is vermillion.
    """
    shown = list(zip(digits, cutouts, pixels, strict=True))[:MAX_SHOWN]
    columns = min(_PAIRS, len(shown))
    rows = -(-len(shown) // columns)
    lines = 1 + len(shown[0][0].answers)
    height = rows * (1.25 + _LINE * lines) + 0.6
    rest = "" if len(shown) == len(digits) else f", the first {len(shown)} of {len(digits):,}"
    figure = new_figure(max(2.6 * columns, 5.2), height, f"As given | as the model sees it{rest}")
    tiles = figure.subfigures(rows, columns, squeeze=False).ravel()
    for tile, (digit, cutout, seen) in zip(tiles, shown, strict=False):
        left, right = tile.subplots(1, 2)
        left.imshow(cutout, cmap="gray", vmin=0, vmax=1)
        left.set(xticks=[], yticks=[])
        draw_digit(right, seen)
        name = shorten(Path(digit.file).name, 20).replace("\n", "?")
        text = "\n".join([f"{name} #{digit.number}", *(answer.caption for answer in digit.answers)])
        sure = all(answer.answered for answer in digit.answers)
        tile.suptitle(drawable(text), fontsize=10, color=BLUE if sure else VERMILLION)
    return figure
