"""The verdict of a comparison: at most three sentences, on accuracy, cost and robustness."""

from itertools import takewhile

from mnist_lightning.comparison.conclusion import ALPHA, SMALLEST_RATIO
from mnist_lightning.comparison.schema import ComparedModel, Comparison
from mnist_lightning.comparison.seed_study import SeedSummary
from mnist_lightning.comparison.titles import in_sentence, short_titles
from mnist_lightning.records.artefacts import ENSEMBLE_SUFFIX
from mnist_lightning.robustness.error_rates import Robustness
from mnist_lightning.terminal.wording import count, listed, two_digits

# Two-sided 95 % quantile of the normal distribution.
Z = 1.96
# How a model's accuracy relates to the baseline's, in the order in which a verdict names them.
_ENSEMBLE, _ABOVE, _ALIKE, _BELOW = _RELATIONS = (
    "",
    "clearly above: ",
    "no clear difference: ",
    "clearly below: ",
)
_CHOICE = " for the choice of images"
# How far an accuracy can be trusted: with several seeds, of an ensemble with known members, else.
_IN_TABLE = (
    "standard deviation {deviation:.2f}",
    "members {low:.2f} to {high:.2f}",
    "95 % interval {low:.2f} to {high:.2f}",
)
_IN_SENTENCE = (
    " with a standard deviation of {deviation:.2f} points",
    "; its {members} members alone on {low:.2f} to {high:.2f} %",
    f", give or take {{half:.2f}} points{_CHOICE}",
)


def verdict(comparison: Comparison, robustness: Robustness | None = None) -> tuple[str, ...]:
    """Answer in at most three sentences: accuracy, cost and robustness.

    Args:
        comparison: The comparison.
        robustness: How these models perform on corrupted digits, if that is known.

    Returns:
        The sentences; that about robustness is missing where it was not measured.
    """
    sentences = [_accuracy_verdict(comparison), _cost_verdict(comparison)]
    if robustness is not None:
        sentences += _robustness_verdict(comparison, robustness)
    return tuple(sentences)


def _accuracy_verdict(comparison: Comparison) -> str:
    dataset, (baseline, *others) = comparison.dataset, comparison.models
    accuracy = 100 * mean_accuracy(comparison, baseline)
    first = (
        f"{in_sentence(baseline.title)} is right on {accuracy:.2f} % of the "
        f"{count(dataset.test, 'test image')} of {dataset.name} "
        f"({_uncertainty(comparison, baseline)})"
    )
    groups: dict[str, list[str]] = {relation: [] for relation in _RELATIONS}
    for model in others:
        groups[_beside_baseline(comparison, model)].append(
            f"{in_sentence(model.title)} on {100 * mean_accuracy(comparison, model):.2f} % "
            f"({_uncertainty(comparison, model)})"
        )
    rest = [f"{relation}{listed(models)}" for relation, models in groups.items() if models]
    start, choice, end = "; ".join([first, *rest]).partition(_CHOICE)
    # What the intervals cover is said once.
    return f"{start}{choice}{end.replace(_CHOICE, '')}."


def _cost_verdict(comparison: Comparison) -> str:
    baseline, *others = comparison.models
    titles = short_titles(comparison.models)
    base = baseline.point(1, 1).p50_ms
    times = [f"{two_digits(base)} ms on one CPU thread with {titles[baseline.name]}"]
    for model in others:
        ratio = model.point(1, 1).p50_ms / base
        alike = 1 / SMALLEST_RATIO < ratio < SMALLEST_RATIO
        factor = "about" if alike else f"{two_digits(ratio)} times"
        times.append(f"{factor} as long with {titles[model.name]}")
    return (
        f"One image takes {listed(times)} (medians of one run on "
        f"{comparison.environment.processor}; other machines give other ratios)."
    )


def _robustness_verdict(comparison: Comparison, robustness: Robustness) -> list[str]:
    titles = short_titles(comparison.models)
    measured = [model for model in robustness.models if model.name in titles]
    if not measured:
        return []
    best, *rest = sorted(measured, key=lambda model: model.mean_error)
    # The mean error of an image over the corruptions is in [0, 1], so that its variance is at
    # most p (1 - p), however the errors under different corruptions depend on each other.
    margins = [
        Z * (model.mean_error * (1 - model.mean_error) / robustness.images) ** 0.5
        for model in (best, *rest)
    ]
    start = (
        f"Under {count(len(best.corruptions), 'corruption')} of "
        f"{count(robustness.images, 'test image')}, {titles[best.name]} is wrong"
    )
    rate = (
        f"on {100 * best.mean_error:.1f} % of the images on average (give or take "
        f"{100 * margins[0]:.1f} points for the choice of images)"
    )
    if not rest:
        return [f"{start} {rate}; no other model was measured."]
    gap = rest[0].mean_error - best.mean_error
    lead = "a clear lead" if gap > margins[0] + margins[1] else "no clear lead"
    against = [f"{100 * model.mean_error:.1f} % for {titles[model.name]}" for model in rest]
    return [
        f"{start} least often: {rate}, against {listed(against)}; {lead}, measured on one file of "
        "each."
    ]


def mean_accuracy(comparison: Comparison, model: ComparedModel) -> float:
    """Return the mean test accuracy over seeds, or that of the only training or average."""
    summary = _summary(comparison, model.name)
    return summary.mean if summary else model.test.accuracy


def how_measured(comparison: Comparison, model: ComparedModel) -> str:
    """Describe in a few words how many trainings an accuracy is of."""
    summary = _summary(comparison, model.name)
    if summary:
        return f"mean of {len(summary.seeds)} trainings"
    return "one ensemble" if model.is_ensemble else "one training"


def spread(comparison: Comparison, model: ComparedModel) -> str:
    """Describe in a few words how far an accuracy can be trusted.

    Returns:
        The standard deviation over seeds, the range of an ensemble's members, or Wilson's 95 %
        interval.
    """
    return _trust(comparison, model, _IN_TABLE)


def _uncertainty(comparison: Comparison, model: ComparedModel) -> str:
    return how_measured(comparison, model) + _trust(comparison, model, _IN_SENTENCE)


def _trust(comparison: Comparison, model: ComparedModel, wording: tuple[str, str, str]) -> str:
    over_seeds, over_members, over_images = wording
    if summary := _summary(comparison, model.name):
        return over_seeds.format(deviation=100 * summary.standard_deviation)
    if members := member_accuracies(comparison, model):
        # Their spread says more than the choice of images.
        low, high = 100 * min(members), 100 * max(members)
        return over_members.format(members=len(members), low=low, high=high)
    low, high = model.test.interval.low, model.test.interval.high
    return over_images.format(low=100 * low, high=100 * high, half=50 * (high - low))


def _beside_baseline(comparison: Comparison, model: ComparedModel) -> str:
    """Return the relation of a model to the baseline; an ensemble stands beside its members."""
    if member_accuracies(comparison, model):
        return _ENSEMBLE
    baseline = comparison.models[0]
    pair = next(pair for pair in comparison.baseline_pairs if pair.second == model.name)
    tests = [
        test
        for test in comparison.seeds.tests
        if {test.first, test.second} == {baseline.name, model.name}
    ]
    p = tests[0].p if tests else pair.adjusted_p
    difference = mean_accuracy(comparison, model) - mean_accuracy(comparison, baseline)
    # The pair compares two files, which may differ the other way than the means.
    if p is None or p >= ALPHA or (not tests and difference * pair.difference <= 0):
        return _ALIKE
    return _ABOVE if difference > 0 else _BELOW


def member_accuracies(comparison: Comparison, model: ComparedModel) -> list[float]:
    """Return the test accuracies of an ensemble's members; empty if one of them is not known."""
    summary = _summary(comparison, model.name.removesuffix(ENSEMBLE_SUFFIX))
    if not model.is_ensemble or summary is None:
        return []
    known = dict(zip(summary.seeds, summary.accuracies, strict=True))
    seeds = seeds_of(model)
    return [known[seed] for seed in seeds] if set(seeds) <= set(known) else []


def _summary(comparison: Comparison, name: str) -> SeedSummary | None:
    return next((found for found in comparison.seeds.summaries if found.model == name), None)


def seeds_of(model: ComparedModel) -> list[int]:
    """Return the seed of a training, or those of an ensemble's members from its command."""
    if model.training.seed is not None:
        return [model.training.seed]
    command = model.training.command
    rest = command[command.index("--seeds") + 1 :] if "--seeds" in command else ()
    return [int(seed) for seed in takewhile(str.isdigit, rest)]


def seeds_text(model: ComparedModel) -> str:
    """Name the seeds of a model, e.g. ``seed 0``, ``seeds 0–4`` or ``seeds 0, 2, 5``."""
    seeds = seeds_of(model)
    if not seeds:
        return "several seeds"
    if len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"seeds {seeds[0]}–{seeds[-1]}"
    return f"{'seeds' if len(seeds) > 1 else 'seed'} {', '.join(map(str, seeds))}"
