"""Titles and names of files are drawn as they are: neither as formulas nor with missing glyphs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from comparison_inputs import golden_comparison
from matplotlib.figure import Figure

from mnist_lightning.handwriting.answers import ReadDigit, Reading
from mnist_lightning.reporting.answers_figure import plot_answers
from mnist_lightning.reporting.comparison_figure import plot_comparison
from mnist_lightning.reporting.confusion import plot_confusion
from mnist_lightning.reporting.curves import plot_curves
from mnist_lightning.reporting.histories_figure import plot_histories
from mnist_lightning.reporting.robustness_figure import plot_robustness, plot_saliency
from mnist_lightning.robustness.error_rates import read_robustness

#: Matplotlib reads an even number of dollars as a formula, and this one is not closed.
TITLE = "a $\\frac{1$ 手"
DRAWN = "a $\\frac{1$ ?"
ROBUSTNESS = Path(__file__).parents[2] / "output" / "published" / "robustness.json"
IMAGES = np.zeros((10_000, 28, 28), dtype=np.uint8)
HISTORY = pd.DataFrame(
    {"epoch": [1, 2], "lr": 0.1}
    | {f"{stage}/loss": [0.5, 0.3] for stage in ("train", "val")}
    | {f"{stage}/accuracy": [0.8, 0.9] for stage in ("train", "val")}
)
COUNTS = 9 * np.eye(10, dtype=np.int64) + 1


def _comparison() -> Figure:
    comparison = golden_comparison(2)
    models = tuple(replace(model, title=TITLE) for model in comparison.models)
    return plot_comparison(replace(comparison, models=models), IMAGES)


def _robustness() -> Figure:
    record = read_robustness(ROBUSTNESS)
    models = tuple(replace(model, title=TITLE) for model in record.models)
    return plot_robustness(replace(record, models=models), dict.fromkeys(models[0].sweeps, ""))


def _answers() -> Figure:
    answer = Reading("cnn", 3, 0.9, True)
    digit = ReadDigit(f"{TITLE}.png", 1, 1, None, None, (answer,))
    return plot_answers([digit], [np.zeros((9, 9), dtype=np.float32)], [IMAGES[0]])


FIGURES: dict[str, Callable[[], Figure]] = {
    "comparison": _comparison,
    "robustness": _robustness,
    "answers": _answers,
    "confusion": lambda: plot_confusion(COUNTS.tolist(), title=TITLE),
    "curves": lambda: plot_curves(HISTORY, title=TITLE, note="note"),
    "learning curves": lambda: plot_histories({0: HISTORY, 1: HISTORY}, [TITLE, TITLE]),
    "saliency": lambda: plot_saliency(
        IMAGES[:2],
        [(TITLE, np.ones((2, 28, 28), dtype=np.float32), np.array([1, 2]))],
        TITLE,
    ),
}


@pytest.mark.parametrize("kind", FIGURES)
def test_a_title_is_no_formula(kind: str, drawn_texts: Callable[[Figure], list[str]]) -> None:
    texts = drawn_texts(FIGURES[kind]())

    shown = [text.replace(r"\$", "$") for text in texts]
    assert any(DRAWN in text for text in shown)
