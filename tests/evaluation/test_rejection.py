import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_lightning.evaluation.calibration import scale
from mnist_lightning.evaluation.rejection import fit_rejection


def _two_way(confidences: list[float]) -> npt.NDArray[np.float64]:
    """Probabilities of images that are a 0 with these confidences, and a 1 otherwise."""
    probabilities = np.zeros((len(confidences), 10))
    probabilities[:, 0] = confidences
    probabilities[:, 1] = 1 - probabilities[:, 0]
    return probabilities


def test_the_threshold_is_the_lowest_that_satisfies_the_error_rate() -> None:
    probabilities = _two_way([0.99, 0.95, 0.9, 0.85, 0.8, 0.7])
    labels = np.array([0, 0, 0, 1, 0, 0])  # only the fourth is wrong

    strict = fit_rejection(probabilities, labels, error_rate=0.0, calibrated=False)
    lenient = fit_rejection(probabilities, labels, error_rate=1 / 6, calibrated=False)

    assert (strict.answered, strict.errors, strict.coverage) == (3, 0, 0.5)
    assert strict.threshold == pytest.approx(scale(probabilities, strict.temperature)[2, 0])
    assert (lenient.answered, lenient.errors, lenient.coverage) == (6, 1, 1.0)


def test_nothing_is_answered_if_the_most_confident_is_wrong() -> None:
    rejection = fit_rejection(
        _two_way([0.99, 0.9]), np.array([1, 0]), error_rate=0.1, calibrated=False
    )

    assert (rejection.answered, rejection.coverage) == (0, 0.0)
    assert rejection.threshold > 1


def test_equal_confidences_are_not_separated() -> None:
    rejection = fit_rejection(
        _two_way([0.9, 0.9, 0.9]), np.array([0, 0, 1]), error_rate=0.1, calibrated=False
    )

    assert rejection.answered == 0


@given(
    st.lists(st.tuples(st.floats(0.5, 1.0), st.booleans()), min_size=1, max_size=40),
    st.floats(0, 1),
)
def test_applying_the_rule_gives_its_coverage_and_errors(
    images: list[tuple[float, bool]], error_rate: float
) -> None:
    probabilities = _two_way([confidence for confidence, _ in images])
    labels = np.array([0 if right else 2 for _, right in images])

    rule = fit_rejection(probabilities, labels, error_rate, calibrated=False)

    scaled = scale(probabilities, rule.temperature)
    answered = scaled.max(axis=1) >= rule.threshold
    wrong = scaled.argmax(axis=1) != labels
    assert answered.sum() == rule.answered
    assert (answered & wrong).sum() == rule.errors
    assert rule.errors <= error_rate * rule.answered
