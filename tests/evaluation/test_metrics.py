import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from mnist_lightning.evaluation.metrics import (
    Confusion,
    measure,
    measure_in_detail,
    wilson_interval,
)


def logits_for(predictions: Tensor) -> Tensor:
    return F.one_hot(predictions, 10).float() * 5


@pytest.fixture
def noisy() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 10, (400,), generator=generator)
    logits = torch.randn(400, 10, generator=generator) + 2 * F.one_hot(labels, 10)
    return logits, labels


def test_metrics_agree_with_torchmetrics(noisy: tuple[Tensor, Tensor]) -> None:
    logits, labels = noisy
    metrics = measure_in_detail(logits, labels)
    micro, macro = MulticlassAccuracy(10, average="micro"), MulticlassF1Score(10, average="macro")
    assert metrics.accuracy == pytest.approx(float(micro(logits, labels)))
    assert metrics.macro_f1 == pytest.approx(float(macro(logits, labels)))
    assert metrics.loss == pytest.approx(float(F.cross_entropy(logits, labels)))


def test_detailed_metrics_contain_the_short_ones(noisy: tuple[Tensor, Tensor]) -> None:
    short, detailed = measure(*noisy), measure_in_detail(*noisy)
    assert vars(short).items() <= vars(detailed).items()


def test_per_class_numbers_follow_from_the_confusion_matrix(noisy: tuple[Tensor, Tensor]) -> None:
    metrics = measure_in_detail(*noisy)
    matrix = torch.tensor(metrics.confusion_matrix)
    assert int(matrix.sum()) == metrics.n == 400
    assert int(matrix.trace()) == metrics.correct
    for entry in metrics.per_class:
        hits = int(matrix[entry.digit, entry.digit])
        assert entry.support == int(matrix[entry.digit].sum())
        assert entry.recall == pytest.approx(hits / entry.support)
        assert entry.precision == pytest.approx(hits / int(matrix[:, entry.digit].sum()))


def test_rows_of_the_confusion_matrix_are_true_digits() -> None:
    metrics = measure_in_detail(logits_for(torch.tensor([9, 9, 4])), torch.tensor([4, 4, 4]))
    assert metrics.confusion_matrix[4][9] == 2
    assert metrics.most_confused == (Confusion(true=4, predicted=9, count=2),)


def test_most_confused_pairs_are_sorted_by_count_then_digits_and_at_most_ten() -> None:
    wrong = [(7, 2)] * 3 + [(4, 9)] * 3 + [(9, 4)] * 4 + [(1, digit) for digit in range(2, 10)]
    labels, predictions = map(torch.tensor, zip(*wrong, strict=True))
    pairs = measure_in_detail(logits_for(predictions), labels).most_confused
    assert [(pair.true, pair.predicted, pair.count) for pair in pairs] == [
        (9, 4, 4),
        (4, 9, 3),
        (7, 2, 3),
        *((1, digit, 1) for digit in range(2, 9)),
    ]


def test_absent_digits_count_as_zero_without_a_warning() -> None:
    labels = torch.tensor([0, 0, 1])
    metrics = measure_in_detail(logits_for(torch.tensor([0, 0, 0])), labels)
    assert (metrics.per_class[1].recall, metrics.per_class[1].precision) == (0.0, 0.0)
    assert metrics.per_class[9].support == 0
    assert metrics.per_class[9].f1 == 0.0
    # F1 of 0 is 0.8, of 1 is 0; the digits that never occur do not count.
    assert metrics.macro_f1 == pytest.approx(0.4)


def test_perfect_predictions_have_no_confusions_and_an_interval_below_one() -> None:
    labels = torch.arange(10)
    metrics = measure_in_detail(logits_for(labels), labels)
    assert metrics.accuracy == metrics.macro_f1 == 1.0
    assert metrics.most_confused == ()
    assert metrics.interval.low < metrics.interval.high == 1.0


def test_single_image_is_measured() -> None:
    metrics = measure_in_detail(logits_for(torch.tensor([3])), torch.tensor([3]))
    assert (metrics.n, metrics.correct) == (1, 1)


def test_wilson_interval_matches_the_published_examples() -> None:
    # Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine
    # 17 (1998), table I, method 3.
    for correct, n, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        interval = wilson_interval(correct, n)
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)
        assert (interval.level, interval.method) == (0.95, "wilson")


def test_loss_of_a_very_confident_mistake_is_finite() -> None:
    logits = torch.zeros(1, 10)
    logits[0, 0] = 1e4
    assert math.isclose(measure(logits, torch.tensor([1])).loss, 1e4)


@pytest.mark.parametrize(("rows", "columns", "labels"), [(0, 10, 0), (3, 10, 2), (3, 9, 3)])
def test_shapes_that_do_not_match_are_refused(rows: int, columns: int, labels: int) -> None:
    with pytest.raises(ValueError, match="are needed"):
        measure(torch.zeros(rows, columns), torch.zeros(labels, dtype=torch.int64))
