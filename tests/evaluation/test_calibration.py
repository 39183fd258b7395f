import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from mnist_lightning.evaluation.calibration import (
    COVERAGES,
    SMALLEST,
    calibrate,
    coverage_curve,
    fit_temperature,
    measure_calibration,
    reliability_bins,
    scale,
)


def draw(n: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from softmax(z), and probabilities softmax(z * temperature) given for them."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal((n, 10))
    true = softmax(logits, axis=1)
    labels = (rng.random((n, 1)) > true.cumsum(axis=1)).sum(axis=1).clip(0, 9)
    return softmax(logits * temperature, axis=1).astype(np.float32), labels


def rows(*confidences: float) -> np.ndarray:
    """Predictions of the digit 0 with these probabilities; the rest is shared by the others."""
    probabilities = np.repeat((1 - np.array(confidences))[:, None] / 9, 10, axis=1)
    probabilities[:, 0] = confidences
    return probabilities.astype(np.float32)


def test_ece_of_a_worked_example() -> None:
    # 0.7 and 0.72 share a bin (accuracy 1/2, confidence 0.71), 0.95 is alone and right.
    found = measure_calibration(rows(0.7, 0.72, 0.95, 0.95), np.array([0, 1, 0, 0]))
    assert found.ece == pytest.approx(0.5 * 0.21 + 0.5 * 0.05, abs=1e-6)


@pytest.mark.parametrize("n", [1, 50, 2000])
def test_ece_agrees_with_torchmetrics_and_bins_hold_all_images(n: int) -> None:
    probabilities, labels = draw(n, temperature=1.7, seed=n)
    found = measure_calibration(probabilities, labels)
    theirs = multiclass_calibration_error(
        torch.from_numpy(probabilities), torch.from_numpy(labels), num_classes=10, n_bins=15
    )
    assert found.ece == pytest.approx(float(theirs), abs=1e-6)
    assert sum(part.count for part in found.bins) == n
    for part in found.bins:
        assert part.low - 1e-6 <= part.confidence <= part.high + 1e-6


def test_bins_at_their_edges_belong_to_the_lower_one() -> None:
    (part,) = reliability_bins(rows(0.8), np.array([0]))
    assert part.high == pytest.approx(0.8)
    (top,) = reliability_bins(rows(1.0), np.array([0]))
    assert (top.low, top.high) == (14 / 15, 1)


def test_scores_agree_with_scikit_learn() -> None:
    probabilities, labels = draw(500, temperature=2)
    found = measure_calibration(probabilities, labels)
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    assert found.nll == pytest.approx(log_loss(labels, exact, labels=range(10)), rel=1e-5)
    by_digit = [brier_score_loss(labels == digit, exact[:, digit]) for digit in range(10)]
    assert found.brier == pytest.approx(sum(by_digit), rel=1e-5)


def test_probability_of_zero_for_the_label_gives_a_finite_loss() -> None:
    found = measure_calibration(rows(1.0, 1.0), np.array([0, 3]))
    assert found.nll == pytest.approx(-np.log(SMALLEST) / 2)
    assert found.brier == pytest.approx(1)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_of_the_draw_is_found_again(sharpness: float) -> None:
    probabilities, labels = draw(20_000, sharpness)
    assert fit_temperature(probabilities, labels) == pytest.approx(sharpness, rel=0.05)


def test_temperature_is_fitted_on_validation_and_calibrates_the_test_images() -> None:
    test, labels = draw(5000, temperature=3, seed=1)
    found = calibrate(test, labels, *draw(5000, temperature=3, seed=2), folded=None)
    assert found.temperature == pytest.approx(3, rel=0.1)
    assert found.scaled.ece < found.raw.ece / 3
    assert found.scaled.nll < found.raw.nll
    # With labels that are independent of the images, no confidence is justified.
    assert calibrate(test, labels, test, np.arange(5000) % 10, folded=None).temperature > 10


@pytest.mark.parametrize("n", [1, 2, 50, 5000])
def test_images_that_are_all_right_do_not_make_certain(n: int) -> None:
    probabilities = rows(*np.linspace(0.9, 0.95, n))
    temperature = fit_temperature(probabilities, np.zeros(n, dtype=int))
    assert 0.05 < temperature < 20
    mean = scale(probabilities, temperature).max(axis=1).mean()
    assert mean == pytest.approx((n + 1) / (n + 2), abs=1e-4)


def test_temperature_stays_within_its_range() -> None:
    certain = np.eye(10)[[0]]
    assert fit_temperature(certain, np.array([0])) == 20
    vague = rows(0.1001)
    assert fit_temperature(vague, np.array([0])) == pytest.approx(0.05, rel=1e-3)


def test_scaling_keeps_predictions_and_sums_to_one() -> None:
    probabilities, _ = draw(200, temperature=1)
    scaled = scale(probabilities, 2.5)
    assert np.array_equal(scaled.argmax(axis=1), probabilities.argmax(axis=1))
    assert scaled.sum(axis=1) == pytest.approx(np.ones(200))
    assert scale(probabilities, 1.0) == pytest.approx(probabilities, abs=1e-6)


def test_coverage_rejects_the_least_confident_first() -> None:
    # Ten images, all correct except the two least confident.
    confidences = np.linspace(0.99, 0.5, 10)
    labels = np.array([0] * 8 + [1, 1])
    points = {point.coverage: point for point in coverage_curve(rows(*confidences), labels)}
    assert list(points) == list(COVERAGES)
    assert (points[0.8].n, points[0.8].errors, points[0.8].accuracy) == (8, 0, 1)
    assert (points[1.0].n, points[1.0].errors) == (10, 2)
    assert points[1.0].accuracy == pytest.approx(0.8)
    assert points[0.5].threshold == pytest.approx(confidences[4], abs=1e-6)


def test_coverage_of_one_image_answers_it() -> None:
    assert {point.n for point in coverage_curve(rows(0.6), np.array([0]))} == {1}


def test_both_calibrations_are_the_same_whether_the_temperature_is_folded_or_not() -> None:
    test, labels = draw(2000, temperature=3, seed=1)
    validation = draw(2000, temperature=3, seed=2)
    apart = calibrate(test, labels, *validation, folded=None)
    file = scale(test, apart.temperature)
    folded = calibrate(file, labels, *validation, folded=apart.temperature)
    assert folded.temperature == apart.temperature
    for one, other in ((folded.raw, apart.raw), (folded.scaled, apart.scaled)):
        assert (one.ece, one.nll) == pytest.approx((other.ece, other.nll), rel=1e-4)
    assert folded.coverage == coverage_curve(file, labels)
