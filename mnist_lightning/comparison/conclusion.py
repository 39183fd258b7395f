"""Sentences that state what a comparison shows and what it does not."""

from collections.abc import Sequence

from mnist_lightning.comparison.schema import ComparedDataset, ComparedModel, ComparedPair
from mnist_lightning.comparison.seed_study import SeedStudy
from mnist_lightning.comparison.titles import in_sentence
from mnist_lightning.records.weights_origin import RANDOM_WEIGHTS
from mnist_lightning.terminal.wording import count, listed, p_text, signed, two_digits

ALPHA = 0.05
# Smaller ratios of two times are within the variation of repeated measurements.
SMALLEST_RATIO = 1.1


def conclude(
    dataset: ComparedDataset,
    models: Sequence[ComparedModel],
    pairs: Sequence[ComparedPair],
    seeds: SeedStudy,
) -> tuple[str, ...]:
    """State what the numbers support and what they do not.

    Args:
        dataset: The dataset of the test images.
        models: The models, the baseline first.
        pairs: All pairs of models; only those with the baseline are described.
        seeds: Results over several seeds.

    Returns:
        One string per paragraph.
    """
    titles = {model.name: in_sentence(model.title) for model in models}
    baseline = models[0]
    return (
        *(
            compare_accuracy(pair, titles, len(pairs))
            for pair in pairs
            if pair.first == baseline.name
        ),
        *(compare_speed(baseline, other) for other in models[1:]),
        *over_seeds(seeds, titles),
        *limits(dataset, models, seeds),
    )


def compare_accuracy(pair: ComparedPair, titles: dict[str, str], tests: int) -> str:
    """Describe the difference between two accuracies.

    Args:
        pair: The two models.
        titles: Display titles by model name.
        tests: Number of tested pairs, for which the p values are adjusted.

    Returns:
        One or two sentences.
    """
    first, second = titles[pair.first], titles[pair.second]
    table = pair.agreement
    if pair.interval is None:
        return (
            f"{first} and {second} are right and wrong on the same {table.n:,} images: nothing "
            "here tells them apart, which does not show that they are equally accurate."
        )
    low, high = 100 * pair.interval.low, 100 * pair.interval.high
    evidence = (
        f"{signed(100 * pair.difference)} percentage points, 95 % interval {signed(low)} to "
        f"{signed(high)}; exact McNemar test on the {count(table.discordant, 'image')} that only "
        f"one of them gets right: {p_text(pair.adjusted_p)}"
        f"{f', adjusted for {tests} pairs' if tests > 1 else ''}"
    )
    if pair.adjusted_p >= ALPHA:
        reach = max(abs(low), abs(high))
        return (
            f"The test images do not show a difference in accuracy between {second} and {first} "
            f"({evidence}). That is not evidence that the two are equal: a difference of up to "
            f"about {reach:.2f} points fits these images too."
        )
    better, worse = (second, first) if pair.difference > 0 else (first, second)
    return (
        f"The trained {better} is more accurate than the trained {worse} by more than the choice "
        f"of test images explains ({second} minus {first}: {evidence})."
    )


def compare_speed(baseline: ComparedModel, other: ComparedModel) -> str:
    """Describe how much slower one model is for one image on one thread."""
    ratio = other.point(1, 1).p50_ms / baseline.point(1, 1).p50_ms
    slower, faster = (other, baseline) if ratio >= 1 else (baseline, other)
    ratio = max(ratio, 1 / ratio)
    if ratio < SMALLEST_RATIO:
        return (
            f"On this processor with one thread, {in_sentence(other.title)} and "
            f"{in_sentence(baseline.title)} take about the same time for one image."
        )
    return (
        f"On this processor with one thread, {in_sentence(slower.title)} takes {two_digits(ratio)} "
        f"times as long for one image as {in_sentence(faster.title)}, by the medians."
    )


def over_seeds(seeds: SeedStudy, titles: dict[str, str]) -> list[str]:
    """Describe results over seeds, which hold for the recipes and not just for single trainings."""
    sentences = [
        f"Over {len(found.seeds)} seeds, {titles[found.model]} reaches {100 * found.mean:.2f} ± "
        f"{100 * found.standard_deviation:.2f} % (mean ± standard deviation)."
        for found in seeds.summaries
    ]
    for test in seeds.tests:
        first, second = titles[test.first], titles[test.second]
        if test.p is None:
            sentences.append(
                f"Neither {first} nor {second} varies over seeds: no test is possible."
            )
            continue
        shown = "shows" if test.p < ALPHA else "does not show"
        sentences.append(
            f"Welch's t test over seeds {shown} a difference between the mean accuracies of "
            f"{second} and {first} ({signed(100 * test.difference)} points, {p_text(test.p)})."
        )
    return sentences


def limits(
    dataset: ComparedDataset, models: Sequence[ComparedModel], seeds: SeedStudy
) -> list[str]:
    """State the limits of what can be concluded from the numbers."""
    sentences = []
    several = {found.model for found in seeds.summaries} | {m.name for m in models if m.is_ensemble}
    single = [in_sentence(model.title) for model in models if model.name not in several]
    if single:
        sentences.append(
            f"{listed(single)} {'was' if len(single) == 1 else 'were'} trained once: the "
            "intervals cover the choice of test images, not the luck of initialisation and order, "
            "so that this is about these files and not about the architectures."
        )
    sentences += [
        f"{in_sentence(model.title)} averages several trainings; one such average was measured."
        for model in models
        if model.is_ensemble
    ]
    if all(model.weights == RANDOM_WEIGHTS for model in models):
        sentences.append(
            "All of these models started from random weights: nothing about transfer from "
            "ImageNet can be concluded."
        )
    if not dataset.is_standard:
        sentences.append(
            f"{dataset.name} is not the standard MNIST: published results do not apply to its "
            f"{count(dataset.test, 'test image')}."
        )
    return sentences
