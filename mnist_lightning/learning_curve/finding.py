"""The answer of the learning curves in sentences: all labels, few labels, and what explains it."""

from mnist_lightning.learning_curve.arms import ARMS
from mnist_lightning.learning_curve.curve_schema import LearningCurve, Point, sizes_text

ALPHA = 0.05
_TITLES = {arm.name: arm.title for arm in ARMS}
_FROZEN = {arm.name for arm in ARMS if arm.least_steps is None}


def answer(curve: LearningCurve) -> tuple[str, ...]:
    """Say what pretrained weights buy, with as many labels as there are, with few, and why.

    Args:
        curve: The statistics, of the first arm and at least one pretrained one at the largest and
            the smallest number of labels of the first.

    Returns:
        Two to four sentences; those about distortions and about training from scratch are missing
        without such arms. None at all without a pretrained arm to compare with.
    """
    own = {point.size: point for point in curve.of(curve.baseline)} if curve.baseline else {}
    pretrained = [
        arm.name
        for arm in ARMS
        if arm.start == "pretrained" and own.keys() and _at(curve, arm.name, max(own)) is not None
    ]
    if not pretrained:
        return ()
    most, least = max(own), min(own)
    best = min(pretrained, key=lambda arm: _mean(curve, arm, most))
    return (
        _with_all_labels(curve, own[most], [best, *(arm for arm in pretrained if arm != best)]),
        _with_few_labels(curve, own[least], best, pretrained),
        *_with_equal_distortions(curve, own[least], best, pretrained),
        *_from_scratch(curve, best, most, least),
    )


def _with_all_labels(curve: LearningCurve, own: Point, pretrained: list[str]) -> str:
    found = []
    for arm in pretrained:
        point = _at(curve, arm, own.size)
        assert point is not None
        gap = next(one for one in curve.differences if (one.arm, one.size) == (arm, own.size))
        clear = gap.t_p_holm is not None and gap.t_p_holm < ALPHA
        more = "more" if gap.difference > 0 else "fewer"
        verdict = f"clearly {more}" if clear else "no clear difference"
        found.append(f"{_rate(point)} for {_TITLES[arm]} ({_how(point)}; {verdict})")
    start, last = ", ".join(found[:-1]), found[-1]
    return (
        f"With {own.size:,} labelled digits, {_TITLES[own.arm]} is wrong on {_rate(own)} of the "
        f"{curve.tested:,} test images ({_how(own)}), against "
        f"{f'{start} and {last}' if start else last}; the pretrained weights are "
        f"{curve.pretrained_weights}."
    )


def _with_few_labels(curve: LearningCurve, own: Point, best: str, pretrained: list[str]) -> str:
    wins = [arm for arm in pretrained if curve.wins(arm)]
    if wins:
        ranges = [f"{_TITLES[arm]} with {sizes_text(curve.wins(arm))}" for arm in wins]
        lead = f"It has more errors than {' and '.join(ranges)} labelled digits"
    else:
        sizes = len(curve.of(own.arm))
        lead = f"No pretrained network has fewer errors at any of the {sizes} numbers of labels"
    parts = [lead]
    few = _at(curve, best, own.size)
    if few is not None:
        parts.append(f"with {own.size:,} it is {_rate(own)} against {_rate(few)} ({_TITLES[best]})")
    match = next(one for one in reversed(curve.matches) if one.arm == best)
    parts.append(
        f"{_TITLES[own.arm]} makes as many errors with {match.text} labels as {_TITLES[best]} with "
        f"{match.size:,}"
    )
    return f"{'; '.join(parts)}."


def _with_equal_distortions(
    curve: LearningCurve, own: Point, best: str, pretrained: list[str]
) -> list[str]:
    """Compare with the controls of the first arm, which differ in the distorted images alone."""
    affine, plain = (
        _at(curve, f"{own.arm}_{name}", own.size) for name in ("affine", "undistorted")
    )
    tuned = _at(curve, best, own.size)
    frozen = [
        point for arm in pretrained if arm in _FROZEN and (point := _at(curve, arm, own.size))
    ]
    if affine is None or plain is None or tuned is None or not frozen:
        return []
    nearest = min(frozen, key=lambda point: point.mean)
    wins = []
    for point in curve.of(nearest.arm):
        other = _at(curve, plain.arm, point.size)
        means = point.shared_means(other) if other else None
        if means and means[0] < means[1]:
            wins.append(point.size)
    title = _TITLES[own.arm]
    text = (
        f"The distorted copies of the digits explain part of that: with those of ResNet50, {title} "
        f"is wrong on {_rate(affine)} with {own.size:,} labels ({_TITLES[best]}: {_rate(tuned)}), "
        f"and without any on {_rate(plain)}, where {_TITLES[nearest.arm]}, which never sees any, "
        f"is wrong on {_rate(nearest)}"
    )
    if wins:
        text += f"; it has fewer errors with {sizes_text(wins)} labels"
    return [f"{text}."]


def _from_scratch(curve: LearningCurve, best: str, most: int, least: int) -> list[str]:
    scratch, longer = (_at(curve, f"resnet50_{name}", most) for name in ("scratch", "long"))
    if scratch is None:
        return []
    few, pretrained = _at(curve, "resnet50_scratch", least), _at(curve, best, least)
    text = f"From random weights, ResNet50 is wrong on {_rate(scratch)} after as many steps"
    if longer is not None:
        times = longer.steps / scratch.steps
        text += f" and on {_rate(longer)} after {times:.0f} times as many"
    if few is not None and pretrained is not None:
        text += f"; with {least:,} labels on {_rate(few)} instead of {_rate(pretrained)}"
    return [f"{text}."]


def _at(curve: LearningCurve, arm: str, size: int) -> Point | None:
    return next((point for point in curve.of(arm) if point.size == size), None)


def _mean(curve: LearningCurve, arm: str, size: int) -> float:
    point = _at(curve, arm, size)
    assert point is not None
    return point.mean


def _rate(point: Point) -> str:
    return f"{100 * point.mean:.{2 if point.mean < 0.01 else 1}f} %"


def _how(point: Point) -> str:
    count = len(point.seeds)
    return "one training" if count == 1 else f"mean of {count} trainings"
