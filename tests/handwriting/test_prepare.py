"""Digits prepared like MNIST."""

import numpy as np
import pytest

from mnist_lightning.handwriting.prepare import NoInkError, prepare_digit


def _stroke(height: int, width: int) -> np.ndarray:
    page = np.zeros((300, 400))
    page[40 : 40 + height, 250 : 250 + width] = 0.5
    return page


@pytest.mark.parametrize(("height", "width"), [(200, 50), (40, 120), (5, 2), (100, 100)])
def test_a_digit_fits_twenty_pixels_and_keeps_its_proportions(height: int, width: int) -> None:
    digit = prepare_digit(_stroke(height, width))

    rows, columns = (np.flatnonzero(digit.any(axis=axis)) for axis in (1, 0))
    assert digit.shape == (28, 28)
    assert digit.max() == 255
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    assert (np.ptp(rows) + 1) / (np.ptp(columns) + 1) == pytest.approx(height / width, rel=0.1)


def test_the_centre_of_mass_is_in_the_middle() -> None:
    page = _stroke(100, 20)
    page[120:140, 250:310] = 0.5  # an L, whose centre of mass is not the middle of its box

    digit = prepare_digit(page).astype(float)

    for axis in (0, 1):
        centre = (digit.sum(axis=1 - axis) * np.arange(28)).sum() / digit.sum()
        assert centre == pytest.approx(13.5, abs=0.51)


def test_edges_are_anti_aliased() -> None:
    rows, columns = np.mgrid[:200, :200]
    disc = ((rows - 100) ** 2 + (columns - 100) ** 2 < 90**2).astype(float)

    assert len(np.unique(prepare_digit(disc))) > 10


@pytest.mark.parametrize("page", [np.zeros((50, 50)), np.zeros((0, 5)), np.full((9, 9), np.nan)])
def test_a_blank_page_has_no_digit(page: np.ndarray) -> None:
    with pytest.raises(NoInkError, match="no ink"):
        prepare_digit(page)
