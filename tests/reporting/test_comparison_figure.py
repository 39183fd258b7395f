from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from comparison_inputs import golden_comparison
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnist_lightning.comparison.schema import Comparison
from mnist_lightning.comparison.titles import short_titles
from mnist_lightning.reporting.comparison_figure import (
    PANELS,
    plot_comparison,
    plot_disputed,
    plot_panel,
)
from mnist_lightning.reporting.style import look

IMAGES = np.random.default_rng(0).integers(0, 256, (10_000, 28, 28), dtype=np.uint8)
DrawnTexts = Callable[[Figure], list[str]]


def panel(comparison: Comparison, key: str) -> Axes:
    (axes,) = plot_panel(comparison, key).axes
    return axes


def without_disputed_images(comparison: Comparison) -> Comparison:
    return replace(comparison, disputed=(), disputed_total=0)


@pytest.mark.parametrize("models", [2, 3, 4])
def test_text_of_the_whole_figure_is_neither_cut_nor_overlapping(
    drawn_texts: DrawnTexts, models: int
) -> None:
    comparison = golden_comparison(models)
    texts = drawn_texts(plot_comparison(comparison, IMAGES))
    assert f"{models} models on the same 10,000 test images of {comparison.dataset.label}" in texts
    for place, title in enumerate(short_titles(comparison.models).values()):
        assert any(f"{look(place).letter}: {title}" in text for text in texts)


@pytest.mark.parametrize("models", [2, 4])
@pytest.mark.parametrize("key", PANELS)
def test_text_of_each_panel_alone_is_neither_cut_nor_overlapping(
    drawn_texts: DrawnTexts, key: str, models: int
) -> None:
    assert drawn_texts(plot_panel(golden_comparison(models), key))


def test_models_that_always_agree_have_no_disputed_tile(drawn_texts: DrawnTexts) -> None:
    texts = drawn_texts(plot_comparison(without_disputed_images(golden_comparison()), IMAGES))
    assert any("0 test images" in text for text in texts)
    assert drawn_texts(plot_disputed(without_disputed_images(golden_comparison()), IMAGES))


def test_accuracies_and_their_intervals_have_their_positions() -> None:
    comparison = golden_comparison()
    axes = panel(comparison, "accuracy")
    for container, model in zip(axes.containers, comparison.models, strict=True):
        line, _, (bars,) = container.lines  # type: ignore[union-attr]
        assert line.get_xdata() == pytest.approx([100 * model.test.accuracy])
        ends = bars.get_segments()[0][:, 0]
        interval = model.test.interval
        assert ends == pytest.approx([100 * interval.low, 100 * interval.high])
    hollow = [line.get_xdata()[0] for line in axes.lines if line.get_markerfacecolor() == "white"]
    cleaned = [model.without_label_errors for model in comparison.models]
    assert hollow == pytest.approx([100 * found.accuracy for found in cleaned if found])


def test_without_known_label_errors_no_hollow_marker_is_drawn() -> None:
    golden = golden_comparison()
    comparison = replace(
        golden,
        dataset=replace(golden.dataset, is_standard=False),
        models=tuple(replace(model, without_label_errors=None) for model in golden.models),
    )
    axes = panel(comparison, "accuracy")
    assert not [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert "hollow" not in axes.get_xlabel()


def test_latency_axis_is_logarithmic_and_shows_one_image_on_one_thread() -> None:
    comparison = golden_comparison()
    axes = panel(comparison, "tradeoff")
    assert axes.get_xscale() == "log"
    for container, model in zip(axes.containers, comparison.models, strict=True):
        assert container.lines[0].get_xdata() == pytest.approx([model.point(1, 1).p50_ms])  # type: ignore[union-attr]


def test_length_of_bars_is_the_ratio_to_the_baseline() -> None:
    comparison = golden_comparison()
    widths = [patch.get_width() for patch in panel(comparison, "size").patches]  # type: ignore[attr-defined]
    first, second = (model.cost for model in comparison.models)
    assert widths == pytest.approx(
        [
            1,
            second.parameters.total / first.parameters.total,
            1,
            second.multiply_accumulates / first.multiply_accumulates,
            1,
            second.file_bytes / first.file_bytes,
        ]
    )


def test_agreement_of_two_models_is_their_2x2_table() -> None:
    comparison = golden_comparison()
    table = comparison.pairs[0].agreement
    cells = {text.get_position(): text.get_text() for text in panel(comparison, "agreement").texts}
    assert cells == {
        (0, 0): f"{table.both_right:,}",
        (1, 0): f"{table.only_first:,}",
        (0, 1): f"{table.only_second:,}",
        (1, 1): f"{table.both_wrong:,}",
    }


def test_agreement_of_more_models_counts_images_that_only_one_gets_right() -> None:
    comparison = golden_comparison(3)
    table = comparison.pairs[0].agreement
    axes = panel(comparison, "agreement")
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    # Column 2 wrong, row 0 right, and the other way round; nothing on the diagonal.
    assert cells[2, 0] == f"{table.only_first:,}"
    assert cells[0, 2] == f"{table.only_second:,}"
    assert len(cells) == 6


def test_reliability_shows_only_bins_with_enough_images() -> None:
    comparison = golden_comparison()
    _, *lines = panel(comparison, "reliability").lines
    for line, model in zip(lines, comparison.models, strict=True):
        bins = [found for found in model.calibration.raw.bins if found.count >= 10]
        assert np.asarray(line.get_ydata()) == pytest.approx([found.accuracy for found in bins])


def test_throughput_uses_all_threads() -> None:
    comparison = golden_comparison()
    axes = panel(comparison, "throughput")
    assert axes.get_title() == f"Throughput, {comparison.benchmark.threads[-1]} threads"
    points = [
        point.images_per_second
        for point in comparison.models[0].latency
        if point.threads == comparison.benchmark.threads[-1]
    ]
    assert np.asarray(axes.lines[0].get_ydata()) == pytest.approx(points)


def test_tiles_show_their_image_with_every_prediction() -> None:
    comparison = golden_comparison()
    figure = plot_disputed(comparison, IMAGES)
    tiles = [axes for axes in figure.axes if axes.images]
    assert len(tiles) == len(comparison.disputed)
    tile, axes = comparison.disputed[0], tiles[0]
    assert np.array_equal(np.asarray(axes.images[0].get_array()), IMAGES[tile.index])
    first, *answers = axes.get_title(loc="left").split("\n")
    assert first == f"true {tile.label}"
    for answer, line in zip(tile.answers, answers, strict=True):
        assert ("×" in line) == (answer.predicted != tile.label)
        assert f"{100 * answer.confidence:.0f} %" in line


def test_first_four_models_differ_in_lightness_and_shape() -> None:
    looks = [look(place) for place in range(4)]

    def lightness(colour: str) -> float:
        red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
        return 0.299 * red + 0.587 * green + 0.114 * blue

    levels = sorted(lightness(found.colour) for found in looks)
    assert min(np.diff(levels)) > 25
    assert len({found.marker for found in looks}) == len({found.line for found in looks}) == 4
