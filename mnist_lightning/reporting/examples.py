"""The digits themselves: what the model gets right, and what it gets wrong."""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure, SubFigure

from mnist_lightning.reporting.style import BLUE, LABEL_SIZE, VERMILLION, new_figure

COLUMNS = 10
MAX_MISTAKES = 20
TILE_WIDTH = 1.3
TILE_HEIGHT = 1.75
HEADING_HEIGHT = 0.42


def plot_examples(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float32],
    *,
    title: str,
) -> Figure:
    """Show up to twenty mistakes, the most confident first, and one correct image of each digit.

    Above each image stand its true digit, the predicted one and the probability of the latter.

    Args:
        images: uint8, ``(N, 28, 28)`` or ``(N, 1, 28, 28)``, 0 is background.
        labels: int64, ``(N,)``, 0 to 9.
        probabilities: float32, ``(N, 10)``, rows sum to 1.
        title: Which model on which images.

    Returns:
        The figure. Correct images are the first of each digit in the order given, so that two
        models show the same ones where both are right.
    """
    mistakes = mistakes_by_confidence(labels, probabilities)
    correct = first_correct_of_each_digit(labels, probabilities)
    captions = [
        f"{true} → {predicted}\n{confidence:.1%}".replace("%", " %")
        for true, predicted, confidence in zip(
            labels, probabilities.argmax(axis=1), probabilities.max(axis=1), strict=True
        )
    ]
    shown = mistakes[:MAX_MISTAKES]
    rows = [_rows(shown), _rows(correct)]
    heights = [HEADING_HEIGHT + TILE_HEIGHT * count for count in rows]
    figure = new_figure(COLUMNS * TILE_WIDTH, HEADING_HEIGHT + sum(heights), title)
    grid = figure.add_gridspec(2, 1, height_ratios=heights)
    upper, lower = (figure.add_subfigure(grid[row]) for row in range(2))
    _draw_tiles(upper, images, shown, captions, VERMILLION)
    _draw_tiles(lower, images, correct, captions, BLUE)
    _head(upper, _describe_mistakes(len(mistakes), len(labels)), VERMILLION)
    _head(lower, "Correct: the first of each digit, true → predicted, confidence", BLUE)
    return figure


def mistakes_by_confidence(
    labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float32]
) -> npt.NDArray[np.int64]:
    """Find the wrong predictions.

    Args:
        labels: int64, ``(N,)``, 0 to 9.
        probabilities: float32, ``(N, 10)``.

    Returns:
        Positions of all mistakes, int64, the most confident first, equal ones in their order.
    """
    mistakes = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    order = np.argsort(-probabilities.max(axis=1)[mistakes], kind="stable")
    return mistakes[order]


def first_correct_of_each_digit(
    labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float32]
) -> npt.NDArray[np.int64]:
    """Find one right prediction of each digit.

    Args:
        labels: int64, ``(N,)``, 0 to 9.
        probabilities: float32, ``(N, 10)``.

    Returns:
        Positions, int64, at most ten, by digit; digits that are never right are left out.
    """
    right = np.flatnonzero(probabilities.argmax(axis=1) == labels)
    _, first = np.unique(labels[right], return_index=True)
    return right[first]


def _describe_mistakes(mistakes: int, total: int) -> str:
    if mistakes == 0:
        return f"No mistake on these {total:,} images"
    choice = f", the {MAX_MISTAKES} most confident" if mistakes > MAX_MISTAKES else ""
    return f"Wrong: {mistakes:,} of {total:,}{choice}, true → predicted, confidence"


def _rows(positions: npt.NDArray[np.int64]) -> int:
    return -(-len(positions) // COLUMNS)


def _draw_tiles(
    part: SubFigure,
    images: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int64],
    captions: list[str],
    colour: str,
) -> None:
    # Without a tile there are no axes: only the heading remains.
    for place, position in enumerate(positions, start=1):
        axes = part.add_subplot(_rows(positions), COLUMNS, place)
        axes.imshow(
            images[position].reshape(28, 28),
            cmap="gray_r",
            vmin=0,
            vmax=255,
            interpolation="nearest",
        )
        axes.set_title(captions[position], fontsize=13, color=colour)
        axes.set(xticks=[], yticks=[])


def _head(part: SubFigure, text: str, colour: str) -> None:
    part.suptitle(text, fontsize=LABEL_SIZE, color=colour, x=0.01, ha="left")
