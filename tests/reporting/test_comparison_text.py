import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from comparison_inputs import golden_comparison

from mnist_lightning.reporting.comparison_rows import UNKNOWN, Row, comparison_rows, duration, three
from mnist_lightning.reporting.comparison_text import (
    BEST,
    csv_text,
    markdown,
    pair_cells,
    terminal_summary,
)

FILES = [Path("output") / f"model_comparison{end}" for end in (".png", ".csv", ".md", ".json")]


@pytest.mark.parametrize("models", [2, 3, 4])
def test_summary_fits_100_columns_and_breaks_no_word(models: int) -> None:
    comparison = golden_comparison(models)
    lines = terminal_summary(comparison, FILES).splitlines()
    assert max(map(len, lines)) <= 100
    words = " ".join(lines[:7]).split()
    assert words.count("initialisation") == sum(
        "initialisation" in model.title for model in comparison.models
    )


def test_best_value_of_a_row_is_marked_and_stands_in_its_models_column() -> None:
    lines = terminal_summary(golden_comparison(), FILES).splitlines()
    accuracy = next(line for line in lines if "Test accuracy" in line)
    assert accuracy.split()[-2:] == ["99.06" + BEST, "95.97"]
    parameters = next(line for line in lines if line.startswith("  Parameters"))
    assert parameters.split()[-2:] == ["16,794", "4,370" + BEST]
    temperature = next(line for line in lines if "Temperature" in line)
    assert BEST not in temperature


def test_differences_come_with_interval_and_test_before_the_conclusion() -> None:
    comparison = golden_comparison()
    text = terminal_summary(comparison, FILES)
    flat = " ".join(text.split())
    assert "ResNet50, random initialisation − Custom CNN: −3.09 (−3.45 to −2.73)" in flat
    assert "McNemar p < 0.001, kappa 0.9578" in flat
    for sentence in comparison.conclusion:
        assert flat.index("(−3.45 to −2.73)") < flat.index(sentence)


def test_all_models_but_the_baseline_are_set_against_it() -> None:
    text = terminal_summary(golden_comparison(4), FILES)
    assert text.count("− Custom CNN:") == 3
    assert "− ResNet50" not in text


def test_row_marks_all_values_that_read_like_the_best() -> None:
    row = Row("k", "label", (1.001, 1.002, 2.0), ("1.00", "1.00", "2.00"), "lower", "g")
    assert row.best == (True, True, False)
    assert replace(row, better="higher").best == (False, False, True)
    assert replace(row, better="").best == (False,) * 3
    assert replace(row, values=(1.0, 1.0, 1.0)).best == (False,) * 3
    assert replace(row, values=(None, 3.0, 2.0), texts=("n/a", "3", "2")).best == (
        False,
        False,
        True,
    )


def test_unknown_memory_is_said_to_be_unknown() -> None:
    golden = golden_comparison()
    models = tuple(replace(m, cost=replace(m.cost, memory=None)) for m in golden.models)
    row = next(
        row for row in comparison_rows(replace(golden, models=models)) if row.key == "memory_bytes"
    )
    assert row.texts == (UNKNOWN, UNKNOWN)
    assert row.best == (False, False)


def test_raw_accuracy_comes_before_the_one_without_label_errors() -> None:
    keys = [row.key for row in comparison_rows(golden_comparison())]
    assert keys.index("test_accuracy") < keys.index("accuracy_without_label_errors")
    golden = golden_comparison()
    other = replace(golden, dataset=replace(golden.dataset, is_standard=False))
    assert "accuracy_without_label_errors" not in [row.key for row in comparison_rows(other)]


def test_csv_has_a_line_for_each_model_in_full_precision() -> None:
    comparison = golden_comparison(3)
    lines = list(csv.DictReader(io.StringIO(csv_text(comparison))))
    assert [line["model"] for line in lines] == [model.name for model in comparison.models]
    for line, model in zip(lines, comparison.models, strict=True):
        assert float(line["test_accuracy"]) == model.test.accuracy
        assert float(line["p99_ms_batch32_threads1"]) == model.point(1, 32).p99_ms
        assert int(line["parameters"]) == model.cost.parameters.total
        assert line["title"] == model.title


def test_markdown_has_tables_of_even_width_and_the_conclusion() -> None:
    comparison = golden_comparison(4)
    text = markdown(comparison)
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables} == {6, 11}
    assert "| **99.06** |" in text
    assert all(sentence in text for sentence in comparison.conclusion)


def test_pair_without_interval_or_kappa_is_formatted() -> None:
    comparison = golden_comparison()
    pair = replace(comparison.pairs[0], interval=None, kappa=None)
    cells = pair_cells(comparison, pair)
    assert cells[2] == "undefined"
    assert cells[-1] == "n/a"


@pytest.mark.parametrize(
    ("value", "text"), [(0.01234, "0.0123"), (1.5, "1.50"), (12.34, "12.3"), (1234.5, "1,234")]
)
def test_three_digits_without_exponent(value: float, text: str) -> None:
    assert three(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(8.34, "8.3 s"), (725, "12 min"), (3900, "1 h 5 min"), (3599, "1 h 0 min")],
)
def test_durations_read_naturally(seconds: float, text: str) -> None:
    assert duration(seconds) == text
