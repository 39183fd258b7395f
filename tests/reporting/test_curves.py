from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from mnist_lightning.reporting.curves import plot_curves, smoothed_floor
from mnist_lightning.reporting.histories_figure import plot_histories
from mnist_lightning.reporting.style import look

NOTE = (
    "Training: on augmented images while the weights move. "
    "Validation: on plain images with averaged weights."
)
TITLE = "ResNet50, random initialisation on MNIST (5,000 images), 4,000 training images"


def history(epochs: int) -> pd.DataFrame:
    epoch = np.arange(1, epochs + 1)
    error = 0.004 + 0.03 * np.exp(-epoch / 3)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "train/loss": 6 * error,
            "val/loss": 3 * error,
            "train/accuracy": 1 - 4 * error,
            "val/accuracy": 1 - error,
            "lr": 0.01,
        }
    )


@pytest.mark.parametrize("epochs", [1, 2, 15, 200])
def test_text_is_neither_cut_nor_overlapping_for_any_length(
    drawn_texts: Callable[[Figure], list[str]], epochs: int
) -> None:
    figure = plot_curves(history(epochs), title=TITLE, note=NOTE)
    texts = drawn_texts(figure)
    assert {TITLE, NOTE, "Loss", "Accuracy", "train", "validation"} <= set(texts)
    assert texts.count("epoch") == 2


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_short_run_shows_the_loss_of_each_step(
    drawn_texts: Callable[[Figure], list[str]], epochs: int
) -> None:
    steps = 40 * epochs
    losses = pd.Series(np.linspace(2.3, 0.6, steps), index=np.arange(1, steps + 1))
    table = history(epochs).assign(step=40 * np.arange(1, epochs + 1))

    figure = plot_curves(table, title=TITLE, note=NOTE, label_smoothing=0.1, step_losses=losses)

    assert {"step", "train, each step", "validation, end of an epoch"} <= set(drawn_texts(figure))
    each, _, validation = figure.axes[0].lines[:3]
    np.testing.assert_array_equal(each.get_xdata(), losses.index)
    np.testing.assert_array_equal(each.get_ydata(), losses)
    np.testing.assert_array_equal(validation.get_xdata(), table["step"])
    np.testing.assert_allclose(validation.get_ydata(), table["val/loss"])


def test_lines_show_the_history_in_nats_and_percent() -> None:
    table = history(15)
    loss, accuracy = plot_curves(table, title="").axes
    for axes, column, factor in ((loss, "loss", 1), (accuracy, "accuracy", 100)):
        for line, stage in zip(axes.lines, ("train", "val"), strict=False):
            np.testing.assert_array_equal(line.get_xdata(), table["epoch"])
            np.testing.assert_allclose(line.get_ydata(), factor * table[f"{stage}/{column}"])


def test_train_and_validation_differ_in_colour_and_in_line_style() -> None:
    for axes in plot_curves(history(200), title="").axes:
        train, validation = axes.lines[:2]
        assert train.get_color() != validation.get_color()
        assert train.get_linestyle() != validation.get_linestyle()


def test_missing_training_values_leave_a_gap_and_no_warning(
    drawn_texts: Callable[[Figure], list[str]],
) -> None:
    table = history(5)
    table.loc[[0, 2], ["train/loss", "train/accuracy"]] = np.nan
    figure = plot_curves(table, title=TITLE)
    drawn_texts(figure)
    for axes in figure.axes:
        assert list(axes.lines[0].get_xdata()) == [2, 4, 5]
        assert list(axes.lines[1].get_xdata()) == [1, 2, 3, 4, 5]


def test_training_curve_without_values_is_not_drawn(
    drawn_texts: Callable[[Figure], list[str]],
) -> None:
    table = history(3).assign(**{"train/loss": np.nan, "train/accuracy": np.nan})
    texts = drawn_texts(plot_curves(table, title=TITLE))
    assert "validation" in texts
    assert "train" not in texts


def test_markers_are_drawn_in_short_histories_only() -> None:
    for epochs, size in ((1, 9), (15, 5), (200, 0)):
        line = plot_curves(history(epochs), title="").axes[0].lines[0]
        assert (line.get_marker(), line.get_markersize()) == ("s", size)


def test_loss_of_zero_and_accuracy_of_one_are_shown(
    drawn_texts: Callable[[Figure], list[str]],
) -> None:
    table = history(3)
    table.loc[2, ["train/loss", "val/loss"]] = 0
    table.loc[2, ["train/accuracy", "val/accuracy"]] = 1
    figure = plot_curves(table, title=TITLE)
    drawn_texts(figure)
    loss, accuracy = figure.axes
    assert loss.get_yscale() == "linear"
    assert accuracy.get_ylim()[1] == 100


def test_loss_axis_is_logarithmic_only_over_a_long_range() -> None:
    table = history(15)
    loss = plot_curves(table, title="").axes[0]
    assert (loss.get_yscale(), loss.get_ylabel()) == ("log", "cross-entropy (nats, log scale)")
    table[["train/loss", "val/loss"]] += 1
    loss = plot_curves(table, title="").axes[0]
    assert (loss.get_yscale(), loss.get_ylabel()) == ("linear", "cross-entropy (nats)")


def test_accuracy_axis_stretches_the_last_percents_and_keeps_all_points_inside() -> None:
    table = history(15)
    axes = plot_curves(table, title="").axes[1]
    low, high = axes.get_ylim()
    assert low <= 100 * table["train/accuracy"].min()
    assert high >= 100 * table["val/accuracy"].max()
    to_pixels = axes.transData.transform
    at = {percent: to_pixels((1, percent))[1] for percent in (95, 98, 99, 99.5)}
    assert at[99.5] - at[99] > (at[98] - at[95]) / 2
    np.testing.assert_allclose(
        axes.transData.inverted().transform((0, at[99.5]))[1], 99.5, atol=1e-9
    )


@pytest.mark.parametrize("epochs", [1, 2])
def test_short_histories_show_every_value(
    drawn_texts: Callable[[Figure], list[str]], epochs: int
) -> None:
    table = history(epochs)
    texts = drawn_texts(plot_curves(table, title=TITLE))
    for stage in ("train", "val"):
        assert {f"{value:.4f}" for value in table[f"{stage}/loss"]} <= set(texts)
        assert {f"{100 * value:.2f} %" for value in table[f"{stage}/accuracy"]} <= set(texts)


def test_floor_of_the_smoothed_loss_is_the_entropy_of_its_targets() -> None:
    assert smoothed_floor(0) == 0
    assert smoothed_floor(1) == pytest.approx(np.log(10))
    targets = torch.full((1, 10), 0.1 / 10)
    targets[0, 3] += 0.9
    loss = F.cross_entropy(targets.log(), torch.tensor([3]), label_smoothing=0.1)
    assert smoothed_floor(0.1) == pytest.approx(loss.item(), abs=1e-6)


def test_floor_is_drawn_and_explained_for_smoothed_labels_only(
    drawn_texts: Callable[[Figure], list[str]],
) -> None:
    table = history(15)
    table["train/loss"] += 0.5
    figure = plot_curves(table, title=TITLE, note=NOTE, label_smoothing=0.1)
    texts = drawn_texts(figure)
    assert "lowest possible train: 0.5003" in texts
    assert any("cannot fall below 0.50" in text for text in texts)
    assert list(figure.axes[0].lines[-1].get_ydata()) == [smoothed_floor(0.1)] * 2
    texts = drawn_texts(plot_curves(table, title=TITLE, note=NOTE))
    assert not any("lowest" in text or "smoothed" in text for text in texts)


@pytest.mark.parametrize(("smoothing", "reason"), [(0.1, "smoothed labels"), (0, "confident")])
def test_rising_validation_loss_is_explained_where_accuracy_does_not_fall(
    drawn_texts: Callable[[Figure], list[str]], smoothing: float, reason: str
) -> None:
    def note(table: pd.DataFrame) -> str:
        figure = plot_curves(table, title=TITLE, label_smoothing=smoothing)
        return " ".join(" ".join(drawn_texts(figure)).split())

    table = history(15)
    assert "rises" not in note(table)
    table.loc[5:, "val/loss"] = 0.2
    assert "Validation loss rises after epoch 5 but accuracy does not fall" in note(table)
    assert reason in note(table)
    table.loc[14, "val/accuracy"] = 0.5
    assert "rises" not in note(table)


def test_learning_curves_of_models_share_axes_and_keep_their_looks(
    drawn_texts: Callable[[Figure], list[str]],
) -> None:
    figure = plot_histories({0: history(25), 2: history(3)}, ["CNN", "other", "ResNet50"])
    texts = drawn_texts(figure)
    assert {"Validation loss", "Validation accuracy", "CNN", "ResNet50"} <= set(texts)
    assert "other" not in texts
    for axes, column, factor in zip(figure.axes, ("loss", "accuracy"), (1, 100), strict=True):
        long, short = axes.lines
        np.testing.assert_allclose(long.get_ydata(), factor * history(25)[f"val/{column}"])
        np.testing.assert_allclose(short.get_ydata(), factor * history(3)[f"val/{column}"])
        assert (long.get_color(), short.get_color()) == (look(0).colour, look(2).colour)
        assert axes.get_xlim() == (0.5, 25.5)
