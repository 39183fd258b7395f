"""The sentences about learning curves, on cells whose errors are given."""

from dataclasses import replace

from mnist_lightning.learning_curve.curve_schema import (
    Crossover,
    Difference,
    LearningCurve,
    Point,
)
from mnist_lightning.reporting.learning_curve_text import crossover_sentences


def _point(arm: str, size: int, mean: float) -> Point:
    return Point(arm, size, (0,), (mean,), mean, None, None, 1.0, 1.0, ("A GPU",))


def _curve(**means: dict[int, float]) -> LearningCurve:
    points = [_point(arm, n, mean) for arm, found in means.items() for n, mean in found.items()]
    gaps = [
        Difference(arm, n, 1, mean - means["cnn"][n], *[None] * 6)
        for arm, found in means.items()
        for n, mean in found.items()
        if arm != "cnn"
    ]
    return LearningCurve(2, "MNIST", 100, {}, (), "cnn", tuple(points), tuple(gaps), (), ())


def test_an_arm_that_wins_in_between_is_not_said_to_win_up_to_there() -> None:
    curve = _curve(cnn={100: 0.3, 300: 0.2, 1000: 0.1}, resnet50={100: 0.4, 300: 0.3, 1000: 0.05})
    curve = replace(curve, crossovers=(Crossover("resnet50", 1000, None),))

    assert crossover_sentences(curve) == [
        "ResNet50, frozen: fewer errors than Custom CNN at 1,000 labelled digits on average, but "
        "not clearly."
    ]


def test_wins_crossings_and_arms_without_a_win() -> None:
    own, worse = {100: 0.3, 300: 0.2, 1000: 0.1}, {100: 0.5, 300: 0.4}
    curve = _curve(cnn=own, resnet50={100: 0.2, 300: 0.1, 1000: 0.2}, resnet50_layer3=worse)
    found = Crossover("resnet50", 300, 512.0), Crossover("resnet50_layer3", None, None)
    curve = replace(curve, crossovers=found)
    # A crossing of two means that differ by chance is none.
    assert "cross" not in crossover_sentences(curve)[0]

    first, *rest = curve.differences
    significant = replace(first, t_p_holm=0.049)
    curve = replace(curve, differences=(significant, *rest))

    wins, never = crossover_sentences(curve)

    assert wins == (
        "ResNet50, frozen: fewer errors than Custom CNN at 100 and 300 labelled digits; the curves "
        "cross at about 510."
    )
    assert never.startswith("ResNet50 up to layer 3, frozen: more errors than Custom CNN at every")
