import csv
import io

from mnist_lightning.handwriting.answers import ReadDigit, Reading
from mnist_lightning.reporting.answers_text import MAX_ROWS, answers_csv, answers_table

MODELS = [f"model_{place}" for place in range(6)]


def digits(count: int, models: int, file: str = "page.png") -> list[ReadDigit]:
    readings = tuple(Reading(name, 7, 0.5, place > 0) for place, name in enumerate(MODELS[:models]))
    return [ReadDigit(file, 1, number, None, 7, readings) for number in range(1, count + 1)]


def test_table_has_a_row_for_each_digit_and_a_column_for_each_model() -> None:
    head, names, *rows = answers_table(digits(2, 2), MODELS[:2]).splitlines()
    assert head.split() == MODELS[:2]
    assert names.split() == ["file", "page", "digit"]
    assert rows[0].split() == [
        "page.png",
        "1",
        "1",
        "?",
        "(7",
        "at",
        "50.0",
        "%)",
        "7",
        "50.0",
        "%",
    ]
    assert rows[2:] == [
        "model_0: 0 of 2 answered, 0 of them right; 2 right if all had to be answered "
        "(accuracy 100.0 %)",
        "model_1: 2 of 2 answered, 2 of them right; 2 right if all had to be answered "
        "(accuracy 100.0 %)",
    ]


def test_table_fits_100_columns_with_many_models_and_long_names() -> None:
    text = answers_table(digits(3, 6, "a/very/long/folder/" * 9 + "page.png"), MODELS)
    assert max(map(len, text.splitlines())) <= 100
    assert all(name in text for name in MODELS)
    assert "/page.png" in text


def test_long_table_names_the_formats_that_have_all_rows() -> None:
    text = answers_table(digits(MAX_ROWS + 5, 1), MODELS[:1])
    assert "... and 5 more: --csv and --json print all" in text
    assert text.count("(7 at 50.0 %)") == MAX_ROWS


def test_csv_has_a_row_for_each_digit_and_model_and_no_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(answers_csv(digits(2, 2, "=cmd.png")))))
    assert len(rows) == 4
    assert rows[1] == {
        "file": "'=cmd.png",
        "page": "1",
        "number": "1",
        "label": "7",
        "model": "model_1",
        "digit": "7",
        "confidence": "0.500000",
        "answered": "1",
    }
    assert not answers_csv(digits(1, 1)).endswith("\n")
