import csv
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from comparison_inputs import golden_comparison

from mnist_lightning.comparison.seed_study import SeedStudy, SeedSummary
from mnist_lightning.comparison.titles import short_titles
from mnist_lightning.comparison.verdict import verdict
from mnist_lightning.reporting.comparison_tables import (
    overview,
    pair_table,
    side_by_side,
    values_by_key,
)
from mnist_lightning.reporting.comparison_text import csv_text, markdown, terminal_summary
from mnist_lightning.reporting.quantities import Quantity
from mnist_lightning.reporting.tables import UNKNOWN, percent
from mnist_lightning.robustness.error_rates import read_robustness

PUBLISHED = Path(__file__).parents[2] / "output" / "published"
FILES = [Path("output") / f"model_comparison{end}" for end in (".png", ".csv", ".md", ".json")]


@pytest.mark.parametrize("models", [2, 3, 4])
def test_summary_fits_100_columns_and_begins_with_the_verdict(models: int) -> None:
    comparison = golden_comparison(models)
    lines = terminal_summary(comparison, FILES).splitlines()
    assert max(map(len, lines)) <= 100
    flat = " ".join(" ".join(lines[1:]).split())
    assert flat.startswith(" ".join(verdict(comparison)))
    for title in short_titles(comparison.models).values():
        assert any(line.startswith(title) for line in lines)


def test_one_table_follows_the_verdict_and_tests_come_below() -> None:
    comparison = golden_comparison()
    flat = " ".join(terminal_summary(comparison, FILES).split())
    table = flat.index(
        "ResNet50 (random initialisation) 95.97 one training 95 % interval 95.57 to 96.34"
    )
    difference = flat.index(
        "ResNet50 (random initialisation) − Custom CNN −3.09 −3.45 to −2.73 < 0.001 0.9578"
    )
    assert flat.index(verdict(comparison)[1]) < table < difference
    for sentence in comparison.conclusion:
        assert difference < flat.index(sentence)


def test_every_other_model_is_compared_with_the_baseline() -> None:
    text = terminal_summary(golden_comparison(4), FILES)
    assert re.findall(r"^(\S.*) − (Custom CNN)", text, flags=re.MULTILINE) == [
        ("ResNet50 (random initialisation)", "Custom CNN"),
        ("ResNet50 (fine-tuned)", "Custom CNN"),
        ("ResNet50 at 64 px (random initialisation)", "Custom CNN"),
    ]


def test_overview_has_the_mean_over_seeds_and_robustness_where_known() -> None:
    golden = golden_comparison()
    seeds = SeedSummary("custom_cnn", (0, 1), (0.98, 0.99), 0.985, 0.0071)
    comparison = replace(golden, seeds=SeedStudy((seeds,), ()))
    shown = overview(comparison, ["one", "two"]).shown
    assert shown["Test accuracy, %"].tolist() == ["98.50", "95.97"]
    assert shown["Based on"].tolist() == ["mean of 2 trainings", "one training"]
    assert shown["Uncertainty, %"]["one"] == "standard deviation 0.71"
    assert "Corruption error, %" not in shown
    record = read_robustness(PUBLISHED / "robustness.json")
    record = replace(record, models=(replace(record.models[0], name="resnet50"),))
    corrupted = overview(comparison, ["one", "two"], record).shown["Corruption error, %"]
    assert corrupted.tolist() == [UNKNOWN, percent(record.models[0].mean_error)]


def test_all_values_that_read_like_the_best_are_best() -> None:
    def best(values: list[float | None], shown: list[str], better: Any = min) -> list[bool]:
        return Quantity("k", "label", lambda _: None, better).best(values, shown)

    assert best([1.001, 1.002, 2.0], ["1.00", "1.00", "2.00"]) == [True, True, False]
    assert best([1.001, 1.002, 2.0], ["1.00", "1.00", "2.00"], max) == [False, False, True]
    assert best([1.001, 1.002, 2.0], ["1.00", "1.00", "2.00"], None) == [False] * 3
    assert best([1.0, 1.0], ["1.00", "1.00"]) == [False] * 2
    assert best([None, 3.0, 2.0], ["n/a", "3", "2"]) == [False, False, True]


def test_unknown_memory_is_shown_as_unknown() -> None:
    golden = golden_comparison()
    models = tuple(replace(m, cost=replace(m.cost, memory=None)) for m in golden.models)
    comparison = replace(golden, models=models)
    models = side_by_side(comparison, ["A", "B"])
    (column,) = [column for column in models.values.columns if column[2] == "memory_bytes"]
    assert models.shown[column].tolist() == [UNKNOWN, UNKNOWN]
    assert not models.best[column].any()
    assert "memory_bytes" not in csv_text(comparison)


def test_an_integer_next_to_an_unknown_value_stays_one() -> None:
    golden = golden_comparison()
    first, second = golden.models
    first = replace(first, cost=replace(first.cost, memory=None))
    rows = csv.DictReader(io.StringIO(csv_text(replace(golden, models=(first, second)))))
    memory = second.cost.memory
    assert memory is not None
    assert [row["memory_bytes"] for row in rows] == [
        "",
        str(memory.peak_bytes - memory.baseline_bytes),
    ]


def test_raw_accuracy_comes_before_the_one_without_label_errors() -> None:
    keys = list(values_by_key(golden_comparison()))
    assert keys.index("test_accuracy") < keys.index("accuracy_without_label_errors")
    golden = golden_comparison()
    other = replace(golden, dataset=replace(golden.dataset, is_standard=False))
    assert "accuracy_without_label_errors" not in values_by_key(other)


def test_csv_has_a_line_for_each_model_in_full_precision() -> None:
    comparison = golden_comparison(3)
    lines = list(csv.DictReader(io.StringIO(csv_text(comparison))))
    assert [line["model"] for line in lines] == [model.name for model in comparison.models]
    for line, model in zip(lines, comparison.models, strict=True):
        assert float(line["test_accuracy"]) == model.test.accuracy
        assert float(line["p99_ms_batch32_threads1"]) == model.point(1, 32).p99_ms
        assert int(line["parameters"]) == model.cost.parameters.total
        assert line["training_device"] == model.training.accelerator
        assert line["title"] == model.title


def test_markdown_begins_with_the_verdict_and_has_tables_of_even_width() -> None:
    comparison = golden_comparison(4)
    text = markdown(comparison)
    assert text.partition("\n\n")[2].startswith("\n\n".join(verdict(comparison)))
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables} == {6, 7, 11}
    assert "| **99.06** |" in text
    assert all(sentence in text for sentence in comparison.conclusion)


def test_titles_cannot_break_out_of_the_tables_or_run_as_formulas() -> None:
    golden = golden_comparison()
    evil = replace(golden.models[1], title="=1+1 | `x`\n## **[a](b)** <script>")
    comparison = replace(golden, models=(golden.models[0], evil))
    text = markdown(comparison)
    safe = r"=1+1 \| \`x\` ## \*\*\[a](b)\*\* &lt;script>"
    assert f"| Custom CNN | {safe} |" in text
    assert f"| {safe} − Custom CNN |" in text
    assert "\n## **" not in text
    titles = [row["title"] for row in csv.DictReader(io.StringIO(csv_text(comparison)))]
    assert titles == ["Custom CNN", f"'{evil.title}"]


def test_two_models_may_have_the_same_title() -> None:
    golden = golden_comparison()
    twins = tuple(replace(model, title="Twin") for model in golden.models)
    comparison = replace(golden, models=twins)
    assert "|  | Twin (custom_cnn) | Twin (resnet50) |" in markdown(comparison)
    assert "| **99.06** | 95.97 |" in markdown(comparison)


def test_pair_without_interval_or_kappa_is_formatted() -> None:
    golden = golden_comparison()
    pair = replace(golden.pairs[0], interval=None, kappa=None)
    shown = pair_table(replace(golden, pairs=(pair,)), ["A", "B"]).shown
    assert shown["95 % interval"].item() == "undefined"
    assert shown["kappa"].item() == UNKNOWN
