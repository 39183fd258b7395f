"""The answer of the learning curves in three sentences: all labels, few labels, and why."""

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
        Two or three sentences; the last one, about distortions and training from scratch, is
        missing without such arms. None at all without a pretrained arm to compare with.
    """
    own = {point.size: point for point in curve.of(curve.baseline)} if curve.baseline else {}
    pretrained = [
        point
        for arm in ARMS
        if arm.start == "pretrained" and own and (point := _at(curve, arm.name, max(own)))
    ]
    if not pretrained:
        return ()
    pretrained.sort(key=lambda point: point.mean)
    few = own[min(own)]
    explained = [*_without_distortions(curve, few), *_from_scratch(curve, pretrained[0], few.size)]
    return (
        _with_all_labels(curve, own[max(own)], pretrained),
        _with_few_labels(curve, few, pretrained),
        *([_sentence(explained)] if explained else []),
    )


def _with_all_labels(curve: LearningCurve, own: Point, pretrained: list[Point]) -> str:
    found = []
    for point in pretrained:
        gap = next(one for one in curve.differences if (one.arm, one.size) == (point.arm, own.size))
        clear = gap.t_p_holm is not None and gap.t_p_holm < ALPHA
        more = "more" if gap.difference > 0 else "fewer"
        verdict = f"clearly {more}" if clear else "no clear difference"
        found.append(f"{_rate(point)} for {_TITLES[point.arm]} ({verdict})")
    return (
        f"With {own.size:,} labelled digits, {_TITLES[own.arm]} is wrong on {_rate(own)} of the "
        f"{curve.tested:,} test images, against {_list(found)}; {_trainings([own, *pretrained])}."
    )


def _with_few_labels(curve: LearningCurve, own: Point, pretrained: list[Point]) -> str:
    few = [point for one in pretrained if (point := _at(curve, one.arm, own.size))]
    parts = []
    if few:
        nearest = min(few, key=lambda point: point.mean)
        parts.append(
            f"With {own.size:,}, it is {_rate(own)} against {_rate(nearest)} "
            f"({_TITLES[nearest.arm]})"
        )
    if wins := [one.arm for one in pretrained if curve.wins(one.arm)]:
        ranges = [f"{_TITLES[arm]} with {sizes_text(curve.wins(arm))}" for arm in wins]
        parts.append(f"it has more errors than {_list(ranges)} labelled digits")
    else:
        sizes = len(curve.of(own.arm))
        parts.append(f"no pretrained network has fewer errors at any of the {sizes} numbers")
    best = pretrained[0]
    match = next(one for one in curve.matches if (one.arm, one.size) == (best.arm, best.size))
    parts.append(
        f"{match.text} labels give {_TITLES[own.arm]} the error rate of {_TITLES[best.arm]} with "
        f"{match.size:,}"
    )
    return _sentence(parts)


def _without_distortions(curve: LearningCurve, own: Point) -> list[str]:
    """Compare the first arm without distorted images with frozen features, which see none either.

    At the fewest labels.
    """
    plain = _at(curve, f"{own.arm}_undistorted", own.size)
    frozen = [
        point
        for arm in ARMS
        if arm.name in _FROZEN
        and arm.start == "pretrained"
        and (point := _at(curve, arm.name, own.size))
    ]
    if plain is None or not frozen:
        return []
    nearest = min(frozen, key=lambda point: point.mean)
    return [
        f"Distorted copies of the digits explain part of that: without any and with {own.size:,} "
        f"labels, {_TITLES[own.arm]} is wrong on {_rate(plain)} and {_TITLES[nearest.arm]} on "
        f"{_rate(nearest)}"
    ]


def _from_scratch(curve: LearningCurve, best: Point, least: int) -> list[str]:
    scratch, longer = (_at(curve, f"resnet50_{name}", best.size) for name in ("scratch", "long"))
    if scratch is None:
        return []
    text = "pretraining helps ResNet50 against itself: from random weights it is wrong on "
    few, tuned = _at(curve, "resnet50_scratch", least), _at(curve, best.arm, least)
    if few is not None and tuned is not None:
        text += f"{_rate(few)} instead of {_rate(tuned)} with {least:,} labels, and on "
    text += f"{_rate(scratch)} instead of {_rate(best)} with {best.size:,}"
    if longer is not None:
        text += f" ({_rate(longer)} after {longer.steps / scratch.steps:.0f} times as many steps)"
    return [text]


def _at(curve: LearningCurve, arm: str, size: int) -> Point | None:
    return next((point for point in curve.of(arm) if point.size == size), None)


def _rate(point: Point) -> str:
    return f"{100 * point.mean:.{2 if point.mean < 0.01 else 1}f} %"


def _sentence(parts: list[str]) -> str:
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _list(parts: list[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _trainings(points: list[Point]) -> str:
    counts = sorted({len(point.seeds) for point in points})
    if counts == [1]:
        return "one training each"
    return f"means of {' to '.join(map(str, dict.fromkeys((counts[0], counts[-1]))))} trainings"
