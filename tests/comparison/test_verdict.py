from dataclasses import replace
from pathlib import Path

import pytest
from comparison_inputs import golden_comparison

from mnist_lightning.comparison.schema import ComparedModel, Comparison
from mnist_lightning.comparison.seed_study import SeedStudy, SeedSummary, SeedTest
from mnist_lightning.comparison.verdict import seeds_text, verdict
from mnist_lightning.robustness.error_rates import RobustModel, Robustness, read_robustness

PUBLISHED = Path(__file__).parents[2] / "output" / "published"
ACCURACIES = (0.999, 0.9, 0.8)
CNN_SEEDS = SeedSummary("custom_cnn", (0, 1, 2), ACCURACIES, 0.8997, 0.0995)


def with_seeds(*summaries: SeedSummary, tests: tuple[SeedTest, ...] = ()) -> Comparison:
    return replace(golden_comparison(), seeds=SeedStudy(summaries, tests))


def with_ensemble(seeds: tuple[str, ...] = ("0", "1", "2")) -> Comparison:
    """The CNN and the average of its seeds."""
    comparison = with_seeds(CNN_SEEDS)
    first, second = comparison.models
    command = ("--model", "cnn", "--seeds", *seeds)
    training = replace(second.training, seed=None, command=command)
    name, title = "custom_cnn_ensemble", f"Custom CNN, ensemble of {len(seeds)}"
    ensemble = replace(second, name=name, title=title, training=training)
    pair = replace(comparison.pairs[0], second=name)
    return replace(comparison, models=(first, ensemble), pairs=(pair,))


def robustness(errors: dict[str, float], images: int = 2000) -> Robustness:
    """A record in which each of these models has this mean corruption error."""
    record = read_robustness(PUBLISHED / "robustness.json")
    models: tuple[RobustModel, ...] = tuple(
        replace(record.models[0], name=name, mean_error=error) for name, error in errors.items()
    )
    return replace(record, models=models, images=images)


def timed(model: ComparedModel, ms: float) -> ComparedModel:
    return replace(model, latency=tuple(replace(point, p50_ms=ms) for point in model.latency))


def test_single_trainings_are_called_so_and_told_apart_by_the_paired_test() -> None:
    accuracy, cost = verdict(golden_comparison())
    assert accuracy.startswith("Custom CNN is right on 99.06 % of the 10,000 test images of MNIST")
    assert accuracy.count("one training, give or take") == 2
    assert accuracy.count("for the choice of images") == 1
    assert "; clearly below: ResNet50 (random initialisation) on 95.97 % (" in accuracy
    assert cost.startswith("One image takes 0.39 ms on one CPU thread with Custom CNN")


def test_mean_over_seeds_replaces_the_accuracy_of_one_file_and_of_the_best_seed() -> None:
    accuracy = verdict(with_seeds(CNN_SEEDS))[0]
    assert "89.97 % of the" in accuracy
    assert "mean of 3 trainings with a standard deviation of 9.95 points" in accuracy
    assert "99.06" not in accuracy
    assert "99.90" not in accuracy


def test_no_difference_is_claimed_where_means_and_files_contradict_each_other() -> None:
    # The CNN's file is better than the ResNet50's, the mean of its seeds is worse.
    assert "no clear difference: ResNet50" in verdict(with_seeds(CNN_SEEDS))[0]


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (0.01, "clearly above: "),
        (0.2, "no clear difference: "),
        (None, "no clear difference: "),
    ],
)
def test_two_recipes_with_seeds_are_told_apart_by_their_means(
    p: float | None, expected: str
) -> None:
    other = SeedSummary("resnet50", (0, 1), (0.95, 0.96), 0.955, 0.007)
    test = SeedTest("custom_cnn", "resnet50", other.mean - CNN_SEEDS.mean, p)
    accuracy = verdict(with_seeds(CNN_SEEDS, other, tests=(test,)))[0]
    assert f"{expected}ResNet50 (random initialisation) on 95.50 % (mean of 2 train" in accuracy


def test_p_value_above_the_level_is_no_clear_difference() -> None:
    golden = golden_comparison()
    pair = replace(golden.pairs[0], mcnemar_p=0.03, adjusted_p=0.09)
    assert "no clear difference: ResNet50" in verdict(replace(golden, pairs=(pair,)))[0]


def test_ensemble_is_compared_with_its_members() -> None:
    accuracy, cost = verdict(with_ensemble())
    assert (
        "; Custom CNN (ensemble of 3) on 95.97 % (one ensemble; its 3 members alone on 80.00 to "
        "99.90 %)" in accuracy
    )
    assert "Custom CNN (ensemble of 3)" in cost


def test_models_are_grouped_by_their_relation_to_the_baseline() -> None:
    four = golden_comparison(4)
    clear = {pair.second: replace(pair, adjusted_p=0.001) for pair in four.pairs[:3]}
    alike = four.models[2].name
    clear[alike] = replace(clear[alike], adjusted_p=0.5)
    accuracy = verdict(replace(four, pairs=tuple(clear.values())))[0]
    assert accuracy.count("no clear difference: ") == 1
    assert accuracy.count("clearly below: ") == 1
    below = accuracy.split("clearly below: ")[1]
    assert below.count(" % (") == 2
    assert "ResNet50 (fine-tuned" not in below


def test_ensemble_with_unknown_members_is_compared_with_the_baseline() -> None:
    accuracy = verdict(with_ensemble(("0", "7")))[0]
    assert "one ensemble, give or take" in accuracy
    assert "members" not in accuracy


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (1.05, "about as long with ResNet50"),
        (3, "3 times as long with ResNet50"),
        (0.25, "0.25 times as long with ResNet50"),
    ],
)
def test_cost_is_the_ratio_of_the_medians(ms: float, text: str) -> None:
    golden = golden_comparison()
    first, second = golden.models
    cost = verdict(replace(golden, models=(timed(first, 1.0), timed(second, ms))))[1]
    assert "1 ms on one CPU thread with Custom CNN" in cost
    assert text in cost


def test_without_a_record_of_the_same_models_robustness_is_left_out() -> None:
    assert len(verdict(golden_comparison())) == 2
    assert len(verdict(golden_comparison(), robustness({"other": 0.3}))) == 2


def test_most_robust_model_comes_first_with_its_uncertainty() -> None:
    sentence = verdict(golden_comparison(), robustness({"custom_cnn": 0.4, "resnet50": 0.2}))[2]
    assert sentence.startswith(
        "Under 15 corruptions of 2,000 test images, ResNet50 (random initialisation) "
    )
    # 1.96 times the root of 0.2 times 0.8 divided by 2,000.
    assert "on 20.0 % of the images on average (give or take 1.8 points" in sentence
    assert "against 40.0 % for Custom CNN; a clear lead" in sentence


def test_small_lead_is_not_called_clear() -> None:
    record = robustness({"custom_cnn": 0.22, "resnet50": 0.2})
    assert "no clear lead" in verdict(golden_comparison(), record)[2]


def test_only_measured_model_has_no_lead() -> None:
    sentence = verdict(golden_comparison(), robustness({"custom_cnn": 0.22}))[2]
    assert sentence.endswith("no other model was measured.")
    assert "least" not in sentence


@pytest.mark.parametrize(
    ("seeds", "text"),
    [
        (("0", "1", "2", "3", "4"), "seeds 0–4"),
        (("0", "7"), "seeds 0, 7"),
        ((), "several seeds"),
    ],
)
def test_seeds_of_an_ensemble_are_those_of_its_members(seeds: tuple[str, ...], text: str) -> None:
    assert seeds_text(with_ensemble(seeds).models[1]) == text


def test_seed_of_a_training_is_named() -> None:
    model = golden_comparison().models[0]
    assert seeds_text(model) == f"seed {model.training.seed}"
