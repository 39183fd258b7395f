from collections import Counter
from inspect import signature
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlxtend.evaluate import mcnemar as mlxtend_mcnemar
from scipy.stats import bootstrap, multinomial
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from mnist_lightning.comparison.paired import (
    Agreement,
    agreement,
    difference_interval,
    holm,
    mcnemar_p,
    prediction_kappa,
)

COUNTS = st.integers(0, 400)
TABLES = st.builds(Agreement, COUNTS, COUNTS, COUNTS, COUNTS).filter(lambda table: table.n > 0)


def answers(table: Agreement) -> tuple[np.ndarray, np.ndarray]:
    """Whether each of two models is correct, image by image, for a table."""
    sizes = (table.both_right, table.only_first, table.only_second, table.both_wrong)
    first, second = np.array([[1, 1, 0, 0], [1, 0, 1, 0]], dtype=bool)
    return first.repeat(sizes), second.repeat(sizes)


@given(TABLES)
def test_table_counts_every_image_once(table: Agreement) -> None:
    first, second = answers(table)
    assert agreement(first, second) == table
    assert table.difference == pytest.approx(second.mean() - first.mean())


def test_mcnemar_gives_the_p_value_of_raschkas_second_scenario() -> None:
    # Raschka, arXiv:1811.12808, section 4.3: 11 against 1, exact p = 0.0063 (26 / 4096).
    assert mcnemar_p(Agreement(9959, 11, 1, 29)) == pytest.approx(26 / 4096)


@settings(deadline=None)
@given(TABLES)
def test_mcnemar_agrees_with_statsmodels_and_mlxtend(table: Agreement) -> None:
    cells = np.array([[table.both_right, table.only_first], [table.only_second, table.both_wrong]])
    p = mcnemar_p(table)
    assert 0 <= p <= 1
    if table.discordant:
        assert p == pytest.approx(statsmodels_mcnemar(cells, exact=True).pvalue)
        # mlxtend doubles one tail without clipping it to 1.
        assert p == pytest.approx(min(mlxtend_mcnemar(cells, exact=True)[1], 1))


@pytest.mark.parametrize(
    "table", [Agreement(10, 0, 0, 0), Agreement(0, 0, 0, 1), Agreement(7, 0, 0, 3)]
)
def test_without_discordant_images_p_is_one_and_there_is_no_interval(table: Agreement) -> None:
    assert mcnemar_p(table) == 1
    assert difference_interval(table) is None


def test_a_single_discordant_image_is_no_evidence() -> None:
    table = Agreement(0, 1, 0, 0)
    assert mcnemar_p(table) == 1
    interval = difference_interval(table)
    assert interval is not None
    assert (interval.low, interval.high) == (-1, -1)


def test_resampling_images_equals_drawing_tables_from_a_multinomial() -> None:
    # All 5^5 equally likely resamples.
    table = Agreement(2, 1, 1, 1)
    outcomes = [(1, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0)]
    found = Counter(
        tuple(np.sum(resample, axis=0).tolist()) for resample in product(outcomes, repeat=table.n)
    )
    law = multinomial(table.n, [3 / 5, 1 / 5, 1 / 5])
    assert sum(found.values()) == 5**5
    for counts, times in found.items():
        assert times / 5**5 == pytest.approx(law.pmf(counts))


def test_interval_agrees_with_scipys_paired_bootstrap() -> None:
    table = Agreement(250, 30, 12, 8)
    first, second = answers(table)
    # SciPy before 1.15 has another name for it.
    seeded = "rng" if "rng" in signature(bootstrap).parameters else "random_state"
    theirs = bootstrap(
        (first, second),
        lambda a, b, axis: b.mean(axis=axis) - a.mean(axis=axis),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=10_000,
        **{seeded: np.random.default_rng(5)},
    ).confidence_interval
    ours = difference_interval(table)
    assert ours is not None
    # The difference has a step size of 1 / 300.
    assert ours.low == pytest.approx(theirs.low, abs=1.01 / 300)
    assert ours.high == pytest.approx(theirs.high, abs=1.01 / 300)
    assert ours.low < table.difference < ours.high


def test_the_interval_covers_the_true_difference_in_about_95_percent_of_samples() -> None:
    shares, n = np.array([0.9, 0.05, 0.02, 0.03]), 400
    rng = np.random.default_rng(1)
    covered = 0
    for counts in rng.multinomial(n, shares, size=400).tolist():
        interval = difference_interval(Agreement(*counts), resamples=1000)
        covered += interval is not None and interval.low <= -0.03 <= interval.high
    assert 0.92 <= covered / 400 <= 0.98


def test_the_interval_depends_on_the_table_and_the_seed_alone() -> None:
    table = Agreement(900, 40, 20, 40)
    assert difference_interval(table) == difference_interval(table)
    ends = {difference_interval(table, resamples=50, seed=seed).low for seed in range(5)}  # type: ignore[union-attr]
    assert len(ends) > 1


@given(TABLES)
def test_swapping_the_models_mirrors_the_result(table: Agreement) -> None:
    swapped = Agreement(table.both_right, table.only_second, table.only_first, table.both_wrong)
    assert mcnemar_p(swapped) == pytest.approx(mcnemar_p(table))
    assert swapped.difference == -table.difference


def test_kappa_gives_the_textbook_value() -> None:
    # 20 times both 1, 5 and 10 times split, 15 times both 0: observed 0.7, by chance 0.5.
    first = np.array([1] * 25 + [0] * 25)
    second = np.array([1] * 20 + [0] * 5 + [1] * 10 + [0] * 15)
    assert prediction_kappa(first, second) == pytest.approx(0.4)


def test_kappa_of_equal_predictions_is_one_and_undefined_for_constant_ones() -> None:
    digits = np.arange(10)
    assert prediction_kappa(digits, digits) == pytest.approx(1)
    assert prediction_kappa(np.full(4, 7), np.full(4, 7)) is None
    assert prediction_kappa(np.full(4, 7), np.full(4, 1)) == pytest.approx(0)
    assert prediction_kappa(np.array([3]), np.array([3])) is None


def test_holm_gives_the_textbook_values() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize("count", [1, 2, 3, 6, 15])
def test_holm_agrees_with_statsmodels(count: int) -> None:
    p_values = np.random.default_rng(count).random(count) ** 3
    assert holm(p_values.tolist()) == pytest.approx(
        multipletests(p_values, method="holm")[1].tolist()
    )
