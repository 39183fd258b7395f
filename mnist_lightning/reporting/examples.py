"""Test images that a model gets wrong, and some that it gets right, as a figure."""

from textwrap import fill

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from mnist_lightning.data.digits import SIDE, Pixels
from mnist_lightning.reporting.style import BLUE, LABEL_SIZE, VERMILLION, draw_digit, new_figure

COLUMNS = 10
MAX_MISTAKES = 20
TILE_WIDTH = 1.3
TILE_HEIGHT = 1.75
HEADING_HEIGHT = 0.42
LETTERS_PER_COLUMN = 12
_CAPTION = "true → predicted, calibrated confidence"


def plot_examples(
    images: Pixels,
    labels: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.floating],
    *,
    title: str,
    columns: int = COLUMNS,
    most: int = MAX_MISTAKES,
) -> Figure:
    """Show some mistakes, the most confident first, and one correct image of each digit.

    Each image has its true digit, the predicted one and the probability of the latter as title.

    Args:
        images: uint8, ``(N, 28, 28)`` or ``(N, 1, 28, 28)``, 0 is background.
        labels: int64, ``(N,)``, 0 to 9.
        probabilities: Floats, ``(N, 10)``, rows sum to 1, calibrated: the captions say so.
        title: Which model on which images.
        columns: Number of images in a row.
        most: Number of mistakes to show.

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
    wrong = _describe_mistakes(len(mistakes), len(labels), most)
    right = f"Correct: the first of each digit, {_CAPTION}"
    parts = [
        (fill(head, LETTERS_PER_COLUMN * columns), positions, colour)
        for head, positions, colour in (
            (wrong, mistakes[:most], VERMILLION),
            (right, correct, BLUE),
        )
    ]
    heights = [
        HEADING_HEIGHT * (1 + head.count("\n")) + TILE_HEIGHT * _rows(positions, columns)
        for head, positions, _ in parts
    ]
    figure = new_figure(columns * TILE_WIDTH, HEADING_HEIGHT + sum(heights), title)
    halves = figure.subfigures(2, 1, squeeze=False, height_ratios=heights).ravel()
    for half, (head, positions, colour) in zip(halves, parts, strict=True):
        half.suptitle(head, fontsize=LABEL_SIZE, color=colour, x=0.01, ha="left")
        # Without a tile there are no axes: only the heading remains.
        for place, position in enumerate(positions, start=1):
            axes = half.add_subplot(_rows(positions, columns), columns, place)
            draw_digit(axes, images[position].reshape(SIDE, SIDE))
            axes.set_title(captions[position], fontsize=13, color=colour)
    return figure


def mistakes_by_confidence(
    labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.floating]
) -> npt.NDArray[np.int64]:
    """Find the wrong predictions.

    Args:
        labels: int64, ``(N,)``, 0 to 9.
        probabilities: Floats, ``(N, 10)``.

    Returns:
        Positions of all mistakes, int64, the most confident first, equal ones in their order.
    """
    mistakes = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    order = np.argsort(-probabilities.max(axis=1)[mistakes], kind="stable")
    return mistakes[order]


def first_correct_of_each_digit(
    labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.floating]
) -> npt.NDArray[np.int64]:
    """Find one correct prediction of each digit.

    Args:
        labels: int64, ``(N,)``, 0 to 9.
        probabilities: Floats, ``(N, 10)``.

    Returns:
        Positions, int64, at most ten, by digit; digits without a correct one are left out.
    """
    right = np.flatnonzero(probabilities.argmax(axis=1) == labels)
    _, first = np.unique(labels[right], return_index=True)
    return right[first]


def _describe_mistakes(mistakes: int, total: int, most: int) -> str:
    if mistakes == 0:
        return f"No mistake on these {total:,} images"
    choice = f", the {most} most confident" if mistakes > most else ""
    return f"Wrong: {mistakes:,} of {total:,}{choice}, {_CAPTION}"


def _rows(positions: npt.NDArray[np.int64], columns: int) -> int:
    return -(-len(positions) // columns)
