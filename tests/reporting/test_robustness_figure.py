"""The robustness figure shows what is answered where it is known, and shortens long titles."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mnist_lightning.evaluation.rejection import Rejection
from mnist_lightning.reporting.robustness_figure import plot_robustness
from mnist_lightning.reporting.robustness_text import answered_table, beside_clean_error
from mnist_lightning.reporting.tables import percent
from mnist_lightning.robustness.error_rates import RobustModel, Robustness, read_robustness
from mnist_lightning.robustness.selective_errors import (
    SelectiveErrorRate,
    answered_error,
    mean_coverage,
    selective,
)

RECORD = Path(__file__).parents[2] / "output" / "published" / "robustness.json"
LONG = "ResNet50 (from scratch, random initialisation)"
RULE = Rejection(1.0, 0.9, 0.001, 0.99, 1, 1000)


def published(models: int, rejection: Rejection | None) -> Robustness:
    """A record with the published error rates, with or without a rule that answers every third."""
    record = read_robustness(RECORD)

    def chosen(rate: SelectiveErrorRate) -> SelectiveErrorRate:
        numbers = np.arange(rate.n)
        return selective(numbers < rate.errors, numbers % 3 == 0 if rejection else None)

    def model(place: int) -> RobustModel:
        old = record.models[0]
        rates = {name: chosen(rate) for name, rate in old.corruptions.items()}
        return replace(
            old,
            name=f"model_{place}",
            title=f"{LONG} {place}",
            rejection=rejection,
            clean=chosen(old.clean),
            corruptions=rates,
            mean_coverage=mean_coverage(rates.values()),
            answered_error=answered_error(rates.values()),
        )

    return replace(record, models=tuple(map(model, range(models))))


@pytest.mark.parametrize("rejection", [RULE, None])
def test_legend_of_four_models_with_long_titles_fits_into_the_figure(
    rejection: Rejection | None,
) -> None:
    record = published(4, rejection)

    figure = plot_robustness(record, dict.fromkeys(record.models[0].sweeps, ""))

    figure.draw_without_rendering()
    (legend,) = figure.legends
    box, whole = legend.get_window_extent(), figure.bbox
    assert whole.x0 <= box.x0 < box.x1 <= whole.x1
    assert whole.y0 <= box.y0
    for place, text in enumerate(legend.get_texts()):
        assert text.get_text().startswith(f"ResNet50 (from scratch) {place}: clean")


def test_shares_answered_and_wrong_have_panels_where_a_model_has_a_rule() -> None:
    record = published(2, RULE)
    mixed = replace(record, models=(record.models[0], published(2, None).models[1]))

    figure = plot_robustness(mixed, dict.fromkeys(record.models[0].sweeps, ""))

    errors, answered, wrong = figure.axes[:3]
    assert [len(axes.containers) for axes in (errors, answered, wrong)] == [2, 2, 2]
    rates = [record.models[0].clean, *record.models[0].corruptions.values()]
    for axes, shares in (
        (errors, [rate.rate for rate in rates]),
        (answered, [rate.coverage for rate in rates]),
        (wrong, [rate.answered_rate for rate in rates]),
    ):
        first, second = (container.lines[0].get_xdata() for container in axes.containers)
        np.testing.assert_allclose(first, 100 * np.array(shares, float))
        assert len(second) == (len(rates) if axes is errors else 0)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "% of these wrong" in labels[0]
    assert labels[1].endswith("without a threshold")
    alone = plot_robustness(published(1, None), dict.fromkeys(record.models[0].sweeps, ""))
    assert len(figure.axes) == 3 + len(record.models[0].sweeps)
    assert len(alone.axes) == 1 + len(record.models[0].sweeps)


def test_tables_of_what_is_answered_leave_out_what_is_not_known() -> None:
    record = published(2, RULE)
    model = record.models[0]
    silent = selective(np.ones(10, bool), np.zeros(10, bool))
    model = replace(model, corruptions={**model.corruptions, "fog": silent})
    record = replace(record, models=(model, published(2, None).models[1]))

    shown = answered_table(record, ["one", "two"], lambda rate: percent(rate.rate)).shown

    assert shown["one"]["Fog"] == "0.00 / n/a"
    clean = model.clean
    answered = len(range(0, clean.n, 3)) / clean.n  # every third, as the rule says
    assert shown["one"]["Clean"] == f"{percent(answered)} / {percent(clean.answered_rate or 0)}"
    assert set(shown["two"]) == {"n/a"}
    twins = answered_table(record, ["same", "same"], lambda rate: percent(rate.rate)).shown
    assert twins.to_numpy().tolist() == shown.to_numpy().tolist()
    assert "Answered / wrong" in beside_clean_error(record)
    assert "Answered" not in beside_clean_error(published(1, None))
