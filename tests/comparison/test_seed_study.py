from dataclasses import replace
from pathlib import Path

import pytest
from comparison_inputs import GOLDEN_RECORD
from scipy.stats import ttest_ind_from_stats

from mnist_lightning.comparison.seed_study import read_seeds, seed_folder, study_seeds
from mnist_lightning.errors import OutputError
from mnist_lightning.records.record import Record, read_record

GOLDEN = GOLDEN_RECORD


def make(seed: int, accuracy: float, **model: object) -> Record:
    golden = read_record(GOLDEN)
    return replace(
        golden,
        model=replace(golden.model, **model),
        training=replace(golden.training, seed=seed),
        test=replace(golden.test, accuracy=accuracy),
    )


def test_mean_and_sample_standard_deviation_are_computed() -> None:
    study = study_seeds({"a": [make(0, 0.99), make(1, 0.98), make(2, 0.97)]})
    (found,) = study.summaries
    assert found.mean == pytest.approx(0.98)
    assert found.standard_deviation == pytest.approx(0.01)
    assert found.seeds == (0, 1, 2)
    assert study.tests == ()


def test_welch_test_agrees_with_scipy_on_the_summary_statistics() -> None:
    first = [make(seed, value) for seed, value in enumerate((0.990, 0.992, 0.991, 0.995))]
    second = [make(seed, value) for seed, value in enumerate((0.980, 0.989, 0.985))]
    (test,) = study_seeds({"a": first, "b": second}).tests
    expected = ttest_ind_from_stats(
        0.992, 0.0021602468994693, 4, 0.98466666666666, 0.0045092497528229, 3, equal_var=False
    )
    assert test.p == pytest.approx(expected.pvalue)
    assert test.difference == pytest.approx(0.98466666666666 - 0.992)


def test_accuracies_without_variance_cannot_be_tested() -> None:
    same = [make(0, 0.99), make(1, 0.99)]
    (test,) = study_seeds({"a": same, "b": same}).tests
    assert test.p is None


def test_a_single_seed_is_not_summarised() -> None:
    assert study_seeds({"a": [make(0, 0.99)], "b": []}).summaries == ()


def test_records_of_the_same_recipe_are_read_in_the_order_of_their_seeds(tmp_path: Path) -> None:
    folder = seed_folder(tmp_path, "custom_cnn")
    for seed in (10, 2):
        make(seed, 0.99).write(folder / f"seed_{seed}_metrics.json")
    make(3, 0.9, hyperparameters={"widths": [1]}).write(folder / "seed_3_metrics.json")
    make(4, 0.9).write(folder / "notes_metrics.json")
    found = read_seeds(tmp_path, make(0, 0.99))
    assert [record.training.seed for record in found] == [2, 10]


def test_without_a_folder_there_are_no_records(tmp_path: Path) -> None:
    assert read_seeds(tmp_path, make(0, 0.99)) == []


def test_damaged_record_of_a_seed_is_refused(tmp_path: Path) -> None:
    path = seed_folder(tmp_path, "custom_cnn") / "seed_1_metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    with pytest.raises(OutputError, match=r"seed_1_metrics\.json is not a valid record"):
        read_seeds(tmp_path, make(0, 0.99))
