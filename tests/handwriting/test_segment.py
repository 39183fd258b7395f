"""Digits found on pages with various backgrounds and defects."""

import numpy as np
import pytest
from drawn_pages import draw_page

from mnist_lightning.errors import DataError
from mnist_lightning.handwriting.ink import find_ink
from mnist_lightning.handwriting.segment import find_digits

ROWS = ["01234", "56789"]


@pytest.fixture(scope="module")
def page() -> np.ndarray:
    return draw_page(ROWS)


def _noise(page: np.ndarray, sigma: float) -> np.ndarray:
    return np.clip(page + np.random.default_rng(0).normal(0, sigma, page.shape), 0, 1)


def test_two_rows_are_found_in_reading_order(page: np.ndarray) -> None:
    boxes = [digit.box for digit in find_digits(page)]

    middles = [((box.left + box.right) / 2, (box.top + box.bottom) / 2) for box in boxes]
    assert len(boxes) == 10
    for row, half in ((0, middles[:5]), (1, middles[5:])):
        assert [x for x, _ in half] == sorted(x for x, _ in half)
        assert all((y > page.shape[0] / 2) == bool(row) for _, y in half)


def test_light_ink_on_a_dark_background_gives_the_same_digits(page: np.ndarray) -> None:
    dark = [digit.pixels for digit in find_digits(page)]
    light = [digit.pixels for digit in find_digits(1 - page)]

    assert np.abs(np.subtract(dark, light, dtype=float)).max() <= 2


def test_an_explicit_no_overrides_the_automatic_inversion(page: np.ndarray) -> None:
    automatic, explicit = find_ink(1 - page, "auto"), find_ink(1 - page, "no")

    assert automatic is not None
    assert automatic.mean() < 0.2
    assert explicit is None or explicit.mean() > 0.5


def test_a_gradient_noise_and_specks_do_not_change_the_count(page: np.ndarray) -> None:
    lit = _noise(page * np.linspace(1.0, 0.45, page.shape[1]), 0.02)
    rng = np.random.default_rng(1)
    lit[rng.integers(0, page.shape[0], 60), rng.integers(0, page.shape[1], 60)] = 0

    assert len(find_digits(lit)) == 10


def test_ruled_lines_are_removed(page: np.ndarray) -> None:
    ruled = page.copy()
    ruled[145:148], ruled[310:313] = 0.3, 0.3

    assert len(find_digits(ruled)) == 10


def test_a_broken_stroke_is_one_digit(page: np.ndarray) -> None:
    whole = find_digits(page)
    box = whole[1].box
    broken = page.copy()
    cut = box.top + box.height // 3
    broken[cut : cut + 4, box.left : box.right] = page[0, 0]

    assert len(find_digits(broken)) == 10


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_blank_page_has_no_digit(level: float) -> None:
    blank = np.full((200, 300), level)

    assert find_digits(blank) == []
    assert find_digits(_noise(blank, 0.05)) == []


def test_a_page_full_of_specks_is_refused() -> None:
    page = np.ones((800, 800))
    for row in range(10, 790, 25):
        for column in range(10, 790, 25):
            page[row : row + 12, column : column + 6] = 0

    with pytest.raises(DataError, match="too many for a page"):
        find_digits(page)
