"""Which trainings of the cross-validation run; each is replaced by one that learns nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cross_validation
from benchmarks.cross_validation_recipes import Recipe


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the trainings that ran; a teacher that is missing fails its student."""
    names: list[str] = []

    def train_fold(recipe: Recipe, fold: int, seed: int, data_dir: Path, networks: Path) -> Any:
        assert all(
            (networks / f"{name}_fold_{fold}_seed_{taught}.pt").is_file()
            for name, taught in recipe.teachers
        )
        names.append(f"{recipe.name}_fold_{fold}_seed_{seed}")
        (networks / f"{names[-1]}.pt").touch()
        return {"wrong": [], "seconds": 1.0}

    monkeypatch.setattr(cross_validation, "train_fold", train_fold)
    monkeypatch.setattr(cross_validation, "print_tables", lambda results: None)
    monkeypatch.setattr(cross_validation, "_RESULTS", tmp_path / "results")
    return names


def run(tmp_path: Path, *trainings: str) -> None:
    networks = ["--networks", str(tmp_path / "networks")]
    cross_validation.main(["--folds", "0", *networks, "--trainings", *trainings])


def test_what_has_a_result_is_not_trained_again(tmp_path: Path, trained: list[str]) -> None:
    for _ in range(2):
        run(tmp_path, "tiny", "light:1")
    assert trained == ["tiny_fold_0_seed_0", "light_fold_0_seed_1"]


def test_a_teacher_without_its_network_is_trained_again_and_keeps_its_result(
    tmp_path: Path, trained: list[str]
) -> None:
    published = tmp_path / "results" / "light_fold_0_seed_1.json"
    published.parent.mkdir()
    published.write_text(json.dumps({"commit": "of the network that is not here"}))
    for _ in range(2):
        run(tmp_path, "distilled")
    light = [f"light_fold_0_seed_{seed}" for seed in range(3)]
    assert trained == [*light, "distilled_fold_0_seed_0"]
    assert json.loads(published.read_text()) == {"commit": "of the network that is not here"}
