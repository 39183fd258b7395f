"""The legend of the robustness figure shows long titles in full."""

from dataclasses import replace
from pathlib import Path

from mnist_lightning.reporting.robustness_figure import plot_robustness
from mnist_lightning.robustness.error_rates import read_robustness

RECORD = Path(__file__).parents[2] / "output" / "published" / "robustness.json"
LONG = "ResNet50 (from scratch, random initialisation)"


def test_legend_of_four_models_with_long_titles_fits_into_the_figure() -> None:
    record = read_robustness(RECORD)
    models = tuple(
        replace(record.models[0], name=f"model_{n}", title=f"{LONG} {n}") for n in range(4)
    )

    figure = plot_robustness(replace(record, models=models), dict.fromkeys(models[0].sweeps, ""))

    figure.draw_without_rendering()
    (legend,) = figure.legends
    box, whole = legend.get_window_extent(), figure.bbox
    assert whole.x0 <= box.x0 < box.x1 <= whole.x1
    assert whole.y0 <= box.y0
    assert all(LONG in text.get_text() for text in legend.get_texts())
