"""The answer of the learning curves in three sentences: all labels, few labels, and why."""

from scipy.stats import ttest_rel

from mnist_lightning.comparison.conclusion import ALPHA
from mnist_lightning.learning_curve.arms import ARMS, TITLES
from mnist_lightning.learning_curve.curve_schema import LearningCurve, Point, sizes_text
from mnist_lightning.terminal.wording import listed

_FROZEN = {arm.name for arm in ARMS if arm.least_steps is None}


def answer(curve: LearningCurve) -> tuple[str, ...]:
    """Say what pretrained weights buy, with as many labels as there are, with few, and why.

    Args:
        curve: The statistics, of the first arm and at least one pretrained one at the largest and
            the smallest number of labels of the first.

    Returns:
        Two or three sentences; the last one, about augmentation and training from scratch, is
        missing without such arms. None at all without a pretrained arm to compare with.
    """
    own = {point.size: point for point in curve.of(curve.baseline)} if curve.baseline else {}
    pretrained = [
        point
        for arm in ARMS
        if arm.start == "pretrained" and own and (point := curve.at(arm.name, max(own)))
    ]
    if not pretrained:
        return ()
    pretrained.sort(key=_mean)
    few = own[min(own)]
    rivals = [point for one in pretrained if (point := curve.at(one.arm, few.size))]
    explained = [
        *_without_augmentation(curve, few, rivals, max(own)),
        *_from_scratch(curve, pretrained[0], few.size),
    ]
    return (
        _with_all_labels(curve, own[max(own)], pretrained),
        _with_few_labels(curve, few, pretrained, rivals),
        *([_sentence(explained)] if explained else []),
    )


def _with_all_labels(curve: LearningCurve, own: Point, pretrained: list[Point]) -> str:
    found = []
    for point in pretrained:
        gap = next(one for one in curve.differences if (one.arm, one.size) == (point.arm, own.size))
        clear = gap.t_p_holm is not None and gap.t_p_holm < ALPHA
        more = "more" if gap.difference > 0 else "fewer"
        verdict = f"clearly {more}" if clear else "no clear difference"
        found.append(f"{_rate(point)} for {_name(point.arm)} ({verdict})")
    return (
        f"With {own.size:,} labelled digits, {_name(own.arm)} is wrong on {_rate(own)} of the "
        f"{curve.tested:,} test images, against {listed(found)}; {_trainings([own, *pretrained])}."
    )


def _with_few_labels(
    curve: LearningCurve, own: Point, pretrained: list[Point], rivals: list[Point]
) -> str:
    parts = []
    if rivals:
        nearest = min(rivals, key=_mean)
        parts.append(
            f"With {own.size:,}, {_name(own.arm)} is wrong on {_rate(own)}, the best pretrained "
            f"network ({_name(nearest.arm)}) on {_rate(nearest)}"
        )
    if wins := [one.arm for one in pretrained if curve.wins(one.arm)]:
        ranges = [f"{_name(arm)} with {sizes_text(curve.wins(arm))}" for arm in wins]
        parts.append(f"{_name(own.arm)} has more errors than {listed(ranges)} labelled digits")
    else:
        sizes = f"the {len(curve.of(own.arm))} numbers of labels"
        parts.append(f"no pretrained network has fewer errors at any of {sizes}")
    best = pretrained[0]
    match = next(one for one in curve.matches if (one.arm, one.size) == (best.arm, best.size))
    labels = f"about {match.text} labels (interpolated)" if match.needed else f"{match.text} labels"
    parts.append(f"{_name(own.arm)} needs {labels} to match {_name(best.arm)} with {match.size:,}")
    return _sentence(parts)


def _without_augmentation(
    curve: LearningCurve, own: Point, rivals: list[Point], most: int
) -> list[str]:
    """Compare the first arm without augmentation with frozen features, which have none either.

    Args:
        curve: The statistics.
        own: The first arm at the fewest labels.
        rivals: The pretrained arms at the same number.
        most: The largest number of labels of the first arm.
    """
    plain = curve.at(f"{own.arm}_undistorted", own.size)
    nearest = min((one for one in rivals if one.arm in _FROZEN), key=_mean, default=None)
    if plain is None or nearest is None:
        return []
    text = (
        f"Augmentation explains part of the difference: without it, {_name(own.arm)} is wrong on "
        f"{_rate(plain)} with {own.size:,} labels ({_name(nearest.arm)} on {_rate(nearest)})"
    )
    with_all = curve.at(plain.arm, most)
    return [f"{text} and on {_rate(with_all)} with {most:,}" if with_all else text]


def _from_scratch(curve: LearningCurve, best: Point, least: int) -> list[str]:
    scratch, longer = (curve.at(f"resnet50_{name}", best.size) for name in ("scratch", "long"))
    if scratch is None:
        return []
    few, tuned = curve.at("resnet50_scratch", least), curve.at(best.arm, least)
    own, others = _rate(best), _rate(scratch)
    if few is not None and tuned is not None:
        own = f"{_rate(tuned)} with {least:,} labels and {own}"
        others = f"{_rate(few)} and {others}"
    notes = [] if _differ_clearly(scratch, best) else ["no clear difference"]
    if longer is not None:
        times = longer.steps / scratch.steps
        notes.append(f"{_rate(longer)} with {times:.0f} times as many steps")
    text = (
        f"ResNet50 itself gains from pretraining: {_name(best.arm)} is wrong on {own} with "
        f"{best.size:,}, one trained from random weights on {others}"
    )
    return [f"{text} ({'; '.join(notes)})" if notes else text]


def _differ_clearly(first: Point, second: Point) -> bool:
    """Return whether a t test paired by seed finds a difference between two arms."""
    own, others = first.shared_rates(second)
    # Without variation scipy has no p value: NaN, which is not below.
    return len(own) > 1 and bool(ttest_rel(own, others).pvalue < ALPHA)


def _name(arm: str) -> str:
    """Put what a title says after a comma before the network, e.g. ``the frozen ResNet50``."""
    network, comma, how = TITLES[arm].partition(", ")
    return f"the {how} {network}" if comma else network


def _mean(point: Point) -> float:
    return point.mean


def _rate(point: Point) -> str:
    return f"{100 * point.mean:.{2 if point.mean < 0.01 else 1}f} %"


def _sentence(parts: list[str]) -> str:
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _trainings(points: list[Point]) -> str:
    counts = {len(point.seeds) for point in points}
    if counts == {1}:
        return "one training each"
    fewest, most = min(counts), max(counts)
    return f"means of {most if fewest == most else f'{fewest} to {most}'} trainings"
