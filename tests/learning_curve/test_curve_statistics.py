"""The statistics of learning curves, on cells whose errors are given."""

from itertools import product

import numpy as np
import pytest
from learning_curve_cells import cell, curves

from mnist_lightning.learning_curve.curve_statistics import analyse


def test_points_have_mean_interval_and_mean_seconds() -> None:
    (point,) = analyse(curves(cnn={100: [900, 1000, 1100]})).points
    assert point.mean == pytest.approx(0.1)
    # 4.3027 is the 0.975 quantile of t with two degrees of freedom, in every table.
    half = 4.3027 * 0.01 / 3**0.5
    assert (point.low, point.high) == pytest.approx((0.1 - half, 0.1 + half), abs=1e-6)
    assert point.seconds == 3.0


def test_one_seed_has_no_interval_and_no_test() -> None:
    curve = analyse(curves(cnn={100: [900]}, resnet50={100: [1000]}))
    assert all(point.low is point.high is None for point in curve.points)
    (difference,) = curve.differences
    assert difference.difference == pytest.approx(0.01)
    assert difference.low is difference.t_p is difference.sign_flip_p is None


def test_differences_are_paired_by_seed() -> None:
    # The arms vary by 10 points between seeds, and differ by about 1 point in each.
    own = [1000, 1500, 2000, 1200, 1800, 900]
    other = [errors + 100 + i for i, errors in enumerate(own)]
    (found,) = analyse(curves(cnn={100: own}, resnet50={100: other})).differences
    assert found.seeds == 6
    assert found.t_p is not None
    assert found.t_p < 1e-6
    assert found.sign_flip_p == pytest.approx(2 / 2**6)
    assert found.low is not None
    assert found.low > 0.0099


def test_seeds_of_one_arm_alone_are_left_out_of_the_differences() -> None:
    cells = curves(cnn={100: [900, 950]}, resnet50={100: [1000, 1100, 5000]})
    (found,) = analyse(cells).differences
    assert found.seeds == 2
    assert found.difference == pytest.approx(0.0125)


def test_p_values_are_adjusted_over_all_arms_and_sizes() -> None:
    rng = np.random.default_rng(0)
    noisy = {
        arm: {n: [int(e) for e in rng.normal(1000, 30, 4)] for n in (100, 300)}
        for arm in ("cnn", "resnet50", "resnet50_finetune")
    }
    found = analyse(curves(**noisy)).differences
    p = sorted(one.t_p for one in found if one.t_p is not None)
    adjusted = sorted(one.t_p_holm for one in found if one.t_p_holm is not None)
    assert len(p) == 4
    assert adjusted[0] == pytest.approx(min(1, 4 * p[0]))


def test_crossing_and_digits_to_match_of_straight_lines() -> None:
    # error = 10 / n against error = 1 / sqrt(n): they cross at n = 100 on logarithmic axes.
    sizes = (25, 400)
    cells = curves(
        cnn={n: [round(1e5 / n)] for n in sizes},
        resnet50={n: [round(1e4 / n**0.5)] for n in sizes},
    )
    curve = analyse(cells)
    (crossover,) = curve.crossovers
    assert crossover.last_win == 25
    assert crossover.crossing == pytest.approx(100, rel=1e-3)
    needed = {match.size: match.needed for match in curve.matches}
    # The CNN has the error rate 0.2 of the other at 25 images with 50, and 0.05 with 200.
    assert needed == pytest.approx({25: 50, 400: 200}, rel=1e-3)


@pytest.mark.parametrize(("errors", "text"), [(10, "over 300"), (9000, "100 or fewer")])
def test_nothing_is_claimed_outside_of_the_measured_numbers(errors: int, text: str) -> None:
    cells = curves(cnn={100: [1000], 300: [500]}, resnet50={100: [errors]})
    (match,) = analyse(cells).matches
    assert (match.needed, match.text) == (None, text)


def test_a_curve_that_does_not_fall_everywhere_matches_where_it_first_does() -> None:
    cells = curves(cnn={100: [1000], 300: [400], 1000: [700], 3000: [200]}, resnet50={100: [500]})
    (match,) = analyse(cells).matches
    assert match.needed is not None
    assert 100 < match.needed < 300


def test_an_arm_that_never_wins_or_always_wins_has_no_crossing() -> None:
    cells = curves(
        cnn={100: [1000], 300: [500]},
        resnet50={100: [1100], 300: [600]},
        resnet50_finetune={100: [900], 300: [400]},
    )
    found = {one.arm: (one.last_win, one.crossing) for one in analyse(cells).crossovers}
    assert found == {"resnet50": (None, None), "resnet50_finetune": (300, None)}


def test_an_arm_with_fewer_seeds_is_compared_on_those_that_both_have() -> None:
    # Below the CNN's mean of 400, but above its 300 with the first seed, the only one of both.
    cells = curves(cnn={100: [300, 500]}, resnet50={100: [350]})
    curve = analyse(cells)
    assert curve.wins("resnet50") == []
    assert curve.crossovers[0].last_win is None


def test_cells_without_the_cnn_are_summarised_as_far_as_possible() -> None:
    curve = analyse(curves(resnet50={100: [1000, 1100]}))
    assert curve.baseline is None
    assert curve.matches == curve.crossovers == curve.differences == ()
    assert len(curve.points) == 1


def test_the_order_of_the_cells_does_not_matter() -> None:
    cells = [
        cell(arm, size, seed, 500 + 10 * seed + size % 7)
        for arm, size, seed in product(("resnet50", "cnn"), (300, 100), (1, 0))
    ]
    assert analyse(cells) == analyse(cells[::-1])
    assert analyse(cells).arms == ["cnn", "resnet50"]
