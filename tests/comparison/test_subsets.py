import numpy as np
import pytest

from benchmarks.ensemble import subset_accuracies

LABELS = np.array([0, 1, 2])


def certain(*digits: int, confidence: float = 0.8) -> np.ndarray:
    """Return probabilities ``(N, 10)`` of a model that predicts these digits."""
    found = np.full((len(digits), 10), (1 - confidence) / 9, dtype=np.float32)
    found[np.arange(len(digits)), digits] = confidence
    return found


def test_single_models_and_their_averages_are_measured_in_order() -> None:
    models = np.stack([certain(0, 1, 9), certain(0, 9, 2), certain(9, 1, 2), certain(9, 9, 9)])
    subsets = [(0,), (3,), (0, 1, 2), (0, 1, 2, 3)]
    assert subset_accuracies(models, LABELS, subsets) == pytest.approx([2 / 3, 0, 1, 1])


def test_the_more_confident_of_two_decides() -> None:
    models = np.stack([certain(0, 1, 2, confidence=0.9), certain(9, 9, 9, confidence=0.6)])
    assert subset_accuracies(models, LABELS, [(0, 1), (1, 0)]) == [1.0, 1.0]
