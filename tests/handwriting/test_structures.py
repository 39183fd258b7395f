"""What is printed on a page, and the table below it, are not taken for strokes."""

import time

import numpy as np
import pytest
from drawn_pages import draw_page
from skimage.transform import rotate

from mnist_lightning.handwriting.ink import find_ink
from mnist_lightning.handwriting.segment import FoundDigit, find_digits
from mnist_lightning.handwriting.sheet import find_sheet

ROWS = ["01234", "56789"]
LINE = 0.3


@pytest.fixture(scope="module")
def page() -> np.ndarray:
    return draw_page(ROWS)


@pytest.fixture(scope="module")
def plain(page: np.ndarray) -> list[FoundDigit]:
    return find_digits(page)


def _assert_same(found: list[FoundDigit], plain: list[FoundDigit], least: float = 0.9) -> None:
    """The digits are those of the plain page, nearly pixel by pixel."""
    assert len(found) == len(plain)
    for one, other in zip(found, plain, strict=True):
        alike = np.corrcoef(one.pixels.ravel(), other.pixels.ravel())[0, 1]
        assert alike > least


def _squared(page: np.ndarray, step: int, thickness: int) -> np.ndarray:
    page = page.copy()
    for offset in range(thickness):
        page[7 + offset :: step] = np.minimum(page[7 + offset :: step], LINE)
        page[:, 7 + offset :: step] = np.minimum(page[:, 7 + offset :: step], LINE)
    return page


def _box(page: np.ndarray, top: int, bottom: int, left: int, right: int, width: int = 3) -> None:
    page[top : top + width, left:right] = LINE
    page[bottom - width : bottom, left:right] = LINE
    page[top:bottom, left : left + width] = LINE
    page[top:bottom, right - width : right] = LINE


@pytest.mark.parametrize("angle", [0, 2, -3])
def test_strong_squared_paper_leaves_the_digits(
    angle: float, page: np.ndarray, plain: list[FoundDigit]
) -> None:
    squared = rotate(_squared(page, 27, 2), angle, mode="edge")

    _assert_same(find_digits(squared), plain, 0.55)


def test_empty_squared_paper_has_no_digit() -> None:
    assert find_digits(_squared(np.full((600, 500), 0.9), 27, 2)) == []


def test_a_grid_of_light_lines_on_a_blackboard_leaves_the_digits(
    page: np.ndarray, plain: list[FoundDigit]
) -> None:
    _assert_same(find_digits(1 - _squared(page, 60, 2)), plain, 0.65)


@pytest.mark.parametrize("margin", [6, 20])
def test_a_frame_around_a_row_is_removed(
    margin: int, page: np.ndarray, plain: list[FoundDigit]
) -> None:
    framed = page.copy()
    boxes = [digit.box for digit in plain[:5]]
    sides = (min(b.top for b in boxes), max(b.bottom for b in boxes))
    _box(framed, sides[0] - margin, sides[1] + margin, boxes[0].left - 20, boxes[4].right + 20)

    _assert_same(find_digits(framed), plain)


@pytest.mark.parametrize("margin", [8, -2])
def test_a_box_around_each_digit_is_removed_even_if_the_digit_touches_it(
    margin: int, page: np.ndarray, plain: list[FoundDigit]
) -> None:
    boxed = page.copy()
    for box in (digit.box for digit in plain):
        # A digit that touches sits on the lower side of the box.
        bottom = box.bottom + margin
        _box(boxed, box.top - 10, bottom, box.left - 10, box.right + 10)

    _assert_same(find_digits(boxed), plain, 0.8 if margin > 0 else 0.3)


def test_an_empty_box_among_others_is_not_a_zero(page: np.ndarray, plain: list[FoundDigit]) -> None:
    some = page.copy()
    for number, digit in enumerate(plain):
        box = digit.box
        if number % 5 == 2:
            some[box.top - 4 : box.bottom + 4, box.left - 4 : box.right + 4] = page[0, 0]
        centre = (box.left + box.right) // 2
        _box(some, box.top - 12, box.bottom + 12, centre - 34, centre + 34)
    rest = [digit for number, digit in enumerate(plain) if number % 5 != 2]

    _assert_same(find_digits(some), rest, 0.8)


def test_the_walls_of_a_table_are_not_ones(page: np.ndarray, plain: list[FoundDigit]) -> None:
    table = page.copy()
    for row in (plain[:5], plain[5:]):
        top = min(digit.box.top for digit in row) - 12
        bottom = max(digit.box.bottom for digit in row) + 12
        for left in range(42, 400, 80):
            _box(table, top, bottom, left, left + 83)

    _assert_same(find_digits(table), plain, 0.65)


def test_a_circle_around_a_digit_is_removed(page: np.ndarray, plain: list[FoundDigit]) -> None:
    circled = page.copy()
    box = plain[7].box
    rows, columns = np.mgrid[: page.shape[0], : page.shape[1]]
    distance = np.hypot(rows - (box.top + box.bottom) / 2, columns - (box.left + box.right) / 2)
    circled[np.abs(distance - 48) < 2] = LINE
    # As if the neighbours were further away.
    digits = find_digits(circled[:, box.left - 40 : box.right + 40][box.top - 60 : box.bottom + 60])

    _assert_same(digits, [plain[7]])


@pytest.mark.parametrize("digit", list("0147"))
@pytest.mark.parametrize("size", [120, 300])
def test_the_straight_strokes_of_a_single_digit_stay(digit: str, size: int) -> None:
    (found,) = find_digits(draw_page([digit], size))

    assert found.box.height > 0.6 * size


def _on_table(page: np.ndarray, shade: float, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """The page on a larger, grained table; and where it is."""
    height, width = (int(1.5 * side) for side in page.shape)
    top, left = page.shape[0] // 4, page.shape[1] // 4
    sheet = np.zeros((height, width))
    sheet[top : top + page.shape[0], left : left + page.shape[1]] = 1
    whole = np.full((height, width), page[0, 0])
    whole[top : top + page.shape[0], left : left + page.shape[1]] = page
    sheet, whole = (rotate(one, angle, mode="edge") for one in (sheet, whole))
    grain = 0.03 * np.sin(np.arange(height)[:, np.newaxis] / 3) + shade
    return sheet * whole + (1 - sheet) * grain, sheet > 0.5


@pytest.mark.parametrize(("shade", "angle"), [(0.1, 5), (0.3, 0), (0.6, -4)])
def test_a_sheet_on_a_table_is_found_and_its_edge_is_no_digit(
    shade: float, angle: float, page: np.ndarray, plain: list[FoundDigit]
) -> None:
    photograph, where = _on_table(np.kron(page, np.ones((2, 2))), shade, angle)

    sheet = find_sheet(photograph)

    assert sheet is not None
    assert (sheet & ~where).sum() == 0
    assert sheet.sum() > 0.85 * where.sum()
    assert len(find_digits(photograph)) == len(plain)


@pytest.mark.parametrize("side", [0, 1])
def test_one_visible_edge_of_the_sheet_is_no_one(
    side: int, page: np.ndarray, plain: list[FoundDigit]
) -> None:
    photograph = np.kron(page, np.ones((2, 2)))
    np.moveaxis(photograph, side, 0)[-30:] = 0.2

    _assert_same(find_digits(photograph), plain, 0.8)


def test_a_blank_sheet_on_a_table_has_no_digit() -> None:
    assert find_digits(_on_table(np.full((500, 700), 0.9), 0.2, 3)[0]) == []


@pytest.mark.parametrize("softness", [1, 8])
def test_the_edge_of_a_shadow_is_no_digit(
    softness: float, page: np.ndarray, plain: list[FoundDigit]
) -> None:
    rows, columns = np.mgrid[: page.shape[0], : page.shape[1]]
    shadow = 1 / (1 + np.exp((columns + 0.4 * rows - 300) / softness))

    found = find_digits(page * (0.55 + 0.45 * shadow))

    assert find_sheet(page * (0.55 + 0.45 * shadow)) is None
    _assert_same(found, plain, 0.85)


def test_what_is_not_on_the_sheet_is_not_ink(page: np.ndarray) -> None:
    left = np.zeros(page.shape, dtype=bool)
    left[:, : page.shape[1] // 2] = True

    ink = find_ink(page, "auto", left)

    assert ink is not None
    assert ink[left].max() == 1
    assert ink[~left].max() == 0


def test_more_dots_of_dotted_paper_than_a_page_has_marks_leave_the_digits(
    page: np.ndarray, plain: list[FoundDigit]
) -> None:
    dotted = np.kron(page, np.ones((2, 2)))
    for row in range(5):
        for column in range(5):
            dotted[6 + row :: 25, 6 + column :: 25] = LINE

    _assert_same(find_digits(dotted), plain, 0.6)


def test_marks_around_marks_take_seconds_and_not_an_hour() -> None:
    page = np.full((1000, 1000), 0.9)
    for margin in range(12, 480, 12):
        _box(page, margin, 1000 - margin, margin, 1000 - margin, 2)
        # Not closed: each might be a frame that is drawn by hand.
        page[480:520, 997 - margin : 1000 - margin] = 0.9
    start = time.monotonic()

    find_digits(page)

    assert time.monotonic() - start < 30
