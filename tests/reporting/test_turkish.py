"""The generated blocks of the Turkish README."""

from pathlib import Path

from mnist_lightning.comparison.schema import read_comparison
from mnist_lightning.comparison.titles import short_titles
from mnist_lightning.learning_curve.curve_schema import read_curve
from mnist_lightning.reporting import turkish

PUBLISHED = Path(__file__).resolve().parents[2] / "output" / "published"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_answer_has_the_mean_error_rates_with_a_decimal_comma() -> None:
    curve = read_curve(PUBLISHED / "learning_curve.json")

    head, _, *rows = map(_cells, turkish.answer(curve).splitlines())

    assert head[1:] == ["100", "300", "1.000", "3.000", "10.000", "55.000"]
    found = {row[0]: row[1:] for row in rows}
    tuned = [curve.at("resnet50_finetune", n) for n in (100, 300, 1000, 3000, 10000, 55000)]
    expected = [f"{100 * point.mean:.2f}".replace(".", ",") for point in tuned if point]
    assert found["ResNet50, ince ayarlı"] == expected
    assert all(row[1:] for row in rows)


def test_the_results_are_those_of_the_comparison_without_robustness() -> None:
    comparison = read_comparison(PUBLISHED / "model_comparison.json")
    titles = [*short_titles(comparison.models).values()]

    head, _, *rows = map(_cells, turkish.results(comparison, titles, None).splitlines())

    assert head == [
        "Model",
        "Test doğruluğu (%)",
        "Görüntü başına süre (ms)",
        "Parametre sayısı",
    ]
    assert [row[0] for row in rows] == titles
    parameters = [model.cost.parameters.total for model in comparison.models]
    assert [int(row[3].replace(".", "")) for row in rows] == parameters
