"""The benchmark of scores for giving no answer, on made-up logits."""

import numpy as np
import pytest

from benchmarks.rejection_images import FITTED
from benchmarks.rejection_rules import SCORES, Array, boosted
from benchmarks.rejection_scores import mean_of, measure

CORRUPTED = 600


def _digits(n: int, seed: int) -> tuple[Array, Array]:
    """Return logits ``(n, 10)`` of certain answers, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 10
    return 8 * np.eye(10)[labels] + rng.normal(0, 0.5, (n, 10)), labels


@pytest.fixture(scope="module")
def outliers() -> Array:
    """Logits of which none stands out."""
    return np.random.default_rng(2).normal(0, 0.5, (100, 10))


@pytest.mark.parametrize("name", SCORES)
def test_every_score_is_higher_for_digits_than_for_flat_logits(name: str, outliers: Array) -> None:
    rule = SCORES[name](*_digits(500, seed=0))
    others, _ = _digits(500, seed=1)

    assert rule(others).shape == (500,)
    assert np.median(rule(others)) > np.quantile(rule(outliers), 0.95)


def test_trees_tell_digits_from_other_outliers(outliers: Array) -> None:
    rule = boosted(outliers[:50])(*_digits(500, seed=0))

    digits = rule(_digits(500, seed=1)[0])
    assert (digits > np.median(rule(outliers[50:]))).all()
    assert (rule(outliers[50:]) < np.median(digits)).mean() > 0.9


def test_a_score_is_measured_at_the_share_of_answered_clean_digits(outliers: Array) -> None:
    logits, labels = _digits(2 * FITTED, seed=0)
    corrupted = logits[FITTED : FITTED + CORRUPTED].copy()
    corrupted[:30] = 8 * np.eye(10)[(labels[FITTED : FITTED + 30] + 1) % 10]  # sure, and wrong
    corrupted[30:60] = 0  # unsure, and wrong or right
    fonts, font_labels = _digits(50, seed=3)
    others = {f"reporting_{name}": outliers for name in ("letters", "blots", "grain")}
    sets = {"labels": labels, "clean": logits, "c_fog": corrupted, "reporting_digits": fonts}

    found = measure(SCORES["largest probability"], sets | others, font_labels, "reporting")

    assert found["auroc"] == {"letters": 1.0, "blots": 1.0, "grain": 1.0}
    strict, lenient = found["0.990"], found["0.995"]
    assert strict["refused"]["letters"] == 1.0
    assert 0.98 < strict["clean"]["answered"] / FITTED < lenient["clean"]["answered"] / FITTED < 1
    fog = strict["corrupted"]["fog"]
    assert fog["wrong"] == 30
    assert fog["images"] - fog["answered"] >= 30
    total = mean_of([found, found])
    assert total["0.990"]["corrupted"]["fog"]["wrong"] == 60
    assert total["auroc"] == found["auroc"]
