import pytest

from mnist_lightning.terminal.wording import listed, p_text, signed, two_digits


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0, "p < 0.001"),
        (0.001, "p = 0.001"),
        (0.0496, "p < 0.05"),
        (0.05, "p = 0.050"),
        (0.5, "p = 0.50"),
        (1, "p = 1.00"),
    ],
)
def test_p_values_are_formatted_as_in_a_journal(p: float, text: str) -> None:
    assert p_text(p) == text


def test_numbers_and_lists_are_formatted() -> None:
    assert signed(-0.221) == "−0.22"
    assert signed(0) == "+0.00"
    assert [listed(["A"]), listed(["A", "B"]), listed(["A", "B", "C"])] == [
        "A",
        "A and B",
        "A, B and C",
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(0.306, "0.31"), (5.04, "5"), (23.9, "24"), (123.4, "120"), (5678, "5,700")]
)
def test_two_digits_have_no_exponent(value: float, text: str) -> None:
    assert two_digits(value) == text
