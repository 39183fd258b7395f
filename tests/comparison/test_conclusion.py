from dataclasses import replace
from pathlib import Path

import pytest

from mnist_lightning.comparison.conclusion import conclude
from mnist_lightning.comparison.paired import Agreement
from mnist_lightning.comparison.schema import ComparedPair, Comparison, read_comparison
from mnist_lightning.comparison.seed_study import SeedStudy, SeedSummary, SeedTest
from mnist_lightning.evaluation.metrics import Interval

GOLDEN = read_comparison(Path(__file__).with_name("comparison_v3.json"))
NOTHING = SeedStudy((), ())


def conclude_on(comparison: Comparison = GOLDEN, seeds: SeedStudy = NOTHING, **pair: object) -> str:
    pairs: tuple[ComparedPair, ...] = (replace(comparison.pairs[0], **pair),)
    return "\n".join(conclude(comparison.dataset, comparison.models, pairs, seeds))


def interval(low: float, high: float) -> Interval:
    return Interval(low, high, 0.95, "paired bootstrap percentile")


def test_clear_difference_names_the_better_model_and_its_evidence() -> None:
    text = conclude_on(
        agreement=Agreement(9900, 60, 20, 20),
        difference=-0.004,
        interval=interval(-0.0058, -0.0022),
        mcnemar_p=0.00001,
        adjusted_p=0.00001,
    )
    assert "The trained Custom CNN is more accurate than the trained ResNet50 (random" in text
    assert "−0.40 percentage points, 95 % interval −0.58 to −0.22" in text
    assert "on the 80 images that only one of them gets right: p < 0.001" in text


def test_better_second_model_is_named_first() -> None:
    text = conclude_on(difference=0.004, adjusted_p=0.01)
    assert text.startswith("The trained ResNet50 (random initialisation) is more accurate")


def test_unclear_difference_is_never_called_equality() -> None:
    text = conclude_on(
        difference=0.0008, interval=interval(-0.0009, 0.0025), mcnemar_p=0.21, adjusted_p=0.21
    )
    assert "do not show a difference" in text
    assert "not evidence that the two are equal" in text
    assert "up to about 0.25 points" in text
    assert "more accurate than" not in text


def test_the_adjusted_p_value_decides_and_is_labelled() -> None:
    second = replace(GOLDEN.pairs[0], mcnemar_p=0.03, adjusted_p=0.09)
    text = conclude(GOLDEN.dataset, GOLDEN.models, [second] * 3, NOTHING)[0]
    assert "do not show a difference" in text
    assert "p = 0.090, adjusted for 3 pairs" in text


def test_models_that_err_on_the_same_images_are_not_called_equally_accurate() -> None:
    text = conclude_on(agreement=Agreement(90, 0, 0, 10), interval=None, adjusted_p=1.0)
    assert "right and wrong on the same 100 images" in text
    assert "does not show that they are equally accurate" in text


def test_speed_is_a_ratio_of_medians_with_the_slower_model_first() -> None:
    first, second = GOLDEN.models
    slow = replace(second, latency=tuple(replace(p, p50_ms=3 * p.p50_ms) for p in first.latency))
    text = conclude_on(replace(GOLDEN, models=(first, slow)))
    assert "ResNet50 (random initialisation) takes 3 times as long for one image as Custom" in text


def test_times_that_hardly_differ_are_called_about_the_same() -> None:
    first, second = GOLDEN.models
    alike = replace(
        second, latency=tuple(replace(p, p50_ms=1.05 * p.p50_ms) for p in first.latency)
    )
    text = conclude_on(replace(GOLDEN, models=(first, alike)))
    assert "take about the same time for one image" in text


def test_single_trainings_and_random_weights_limit_the_conclusion() -> None:
    text = conclude_on()
    assert "were trained once" in text
    assert "not about the architectures" in text
    assert "nothing about transfer from ImageNet can be concluded" in text
    first, second = GOLDEN.models
    text = conclude_on(replace(GOLDEN, models=(first, replace(second, weights="IMAGENET1K_V2"))))
    assert "ImageNet can be" not in text


def test_a_dataset_other_than_mnist_is_mentioned() -> None:
    dataset = replace(GOLDEN.dataset, name="MNIST-5k", is_standard=False, test=1000)
    text = conclude_on(replace(GOLDEN, dataset=dataset))
    assert "MNIST-5k is not the standard MNIST" in text
    assert "not the standard" not in conclude_on()


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (0.2, "does not show a difference"),
        (0.01, "shows a difference"),
        (None, "no test is possible"),
    ],
)
def test_seeds_are_reported_with_their_spread_and_test(p: float | None, expected: str) -> None:
    study = SeedStudy(
        (
            SeedSummary("custom_cnn", (0, 1, 2), (0.99, 0.98, 0.97), 0.98, 0.01),
            SeedSummary("resnet50", (0, 1), (0.97, 0.97), 0.97, 0.0),
        ),
        (SeedTest("custom_cnn", "resnet50", -0.01, p),),
    )
    text = conclude_on(seeds=study)
    assert "Over 3 seeds, Custom CNN reaches 98.00 ± 1.00 %" in text
    assert expected in text
    assert "trained once" not in text


def test_only_models_without_several_seeds_are_called_trained_once() -> None:
    summary = SeedSummary("custom_cnn", (0, 1), (0.99, 0.98), 0.985, 0.007)
    text = conclude_on(seeds=SeedStudy((summary,), ()))
    assert "ResNet50 (random initialisation) was trained once" in text
