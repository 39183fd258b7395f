"""The learning-curve command, with trainings that take no time."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from learning_curve_cells import cell

from mnist_lightning.commands.learning_curve import main
from mnist_lightning.learning_curve.arms import ARMS, Arm
from mnist_lightning.learning_curve.cell_training import CellTrainer
from mnist_lightning.learning_curve.cells import Cell, CellKey, configuration_hash

Run = Callable[..., int]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[CellKey]:
    """The cells that are trained, in order; each takes no time."""
    keys: list[CellKey] = []

    def settings(self: CellTrainer, arm: Arm, size: int, seed: int) -> dict[str, object]:
        return {"arm": arm.name, "size": size, "seed": seed, "weights": self._weights}

    def train(self: CellTrainer, arm: Arm, size: int, seed: int) -> Cell:
        keys.append(CellKey(arm.name, size, seed))
        found = settings(self, arm, size, seed)
        errors = 40 - size // 10 + seed + 5 * (arm.name != "cnn")
        described = {"settings": found, "configuration": configuration_hash(found)}
        return cell(arm.name, size, seed, errors, tested=100, **described)

    monkeypatch.setattr(CellTrainer, "settings", settings)
    monkeypatch.setattr(CellTrainer, "train", train)
    return keys


@pytest.fixture
def run(tmp_path: Path, tiny_data_dir: Path) -> Run:
    def run(*options: str) -> int:
        folders = ["--output_dir", str(tmp_path), "--data_dir", str(tiny_data_dir)]
        return main([*folders, "--accelerator", "cpu", *options])

    return run


TWO = ("--models", "cnn", "resnet50", "--sizes", "100", "20", "--seeds", "0", "1")


def test_all_cells_are_trained_seed_by_seed_and_summarised(
    run: Run, trained: list[CellKey], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*TWO) == 0
    expected = [(arm, n, s) for s in (0, 1) for n in (20, 100) for arm in ("cnn", "resnet50")]
    assert trained == expected
    files = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert files == {f"learning_curve.{end}" for end in ("json", "csv", "md", "png")}
    cells = {path.name for path in (tmp_path / "learning_curve" / "cells").iterdir()}
    assert cells == {f"{arm}_{n}_{s}.json" for arm, n, s in expected}
    rows = list(csv.DictReader((tmp_path / "learning_curve.csv").read_text().splitlines()))
    assert [row["errors"] for row in rows if row["arm"] == "cnn"] == ["38", "39", "30", "31"]
    assert "more errors than Custom CNN at every measured number" in capsys.readouterr().out
    assert "## Limits" in (tmp_path / "learning_curve.md").read_text(encoding="utf-8")


def test_a_second_start_trains_only_what_is_missing(run: Run, trained: list[CellKey]) -> None:
    assert run(*TWO[:-1]) == 0
    trained.clear()
    assert run(*TWO) == 0
    assert {key.seed for key in trained} == {1}
    assert len(trained) == 4


def test_what_other_settings_trained_is_refused_in_one_line_and_replaced_on_request(
    run: Run, trained: list[CellKey], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--models", "cnn", "--sizes", "20", "--seeds", "0") == 0
    trained.clear()
    other = ("--models", "cnn", "--sizes", "20", "--seeds", "0", "--weights", "other.pth")
    assert run(*other) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "cnn_20_0.json was trained with other settings" in error
    assert "--force" in error
    assert trained == []
    assert run(*other, "--force") == 0
    assert len(trained) == 1
    assert run(*other, "--force") == 0
    assert len(trained) == 1


def test_a_cell_that_another_process_trains_is_left_to_it(
    run: Run, trained: list[CellKey], tmp_path: Path
) -> None:
    path = CellKey("cnn", 20, 0).path(tmp_path)
    path.parent.mkdir(parents=True)
    with FileLock(path.with_suffix(".lock")):
        assert run(*TWO) == 0
    assert len(trained) == 7
    assert CellKey("cnn", 20, 0) not in trained
    assert run(*TWO) == 0
    assert trained[-1] == CellKey("cnn", 20, 0)


def test_an_interruption_loses_only_the_running_cell(
    run: Run, trained: list[CellKey], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = CellTrainer.train

    def interrupted(self: CellTrainer, arm: Arm, size: int, seed: int) -> Cell:
        if len(trained) == 3:
            raise KeyboardInterrupt
        return train(self, arm, size, seed)

    monkeypatch.setattr(CellTrainer, "train", interrupted)
    assert run(*TWO) == 130
    left = sorted(path.name for path in (tmp_path / "learning_curve" / "cells").iterdir())
    assert left == ["cnn_100_0.json", "cnn_20_0.json", "resnet50_20_0.json"]


def test_without_time_nothing_is_trained_and_nothing_is_read_but_cells(
    run: Run, trained: list[CellKey], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--max_minutes", "0") == 2
    assert "there is no finished training" in capsys.readouterr().err
    assert run(*TWO) == 0
    trained.clear()
    assert run("--max_minutes", "0", "--weights", "missing.pth") == 0
    assert trained == []


def test_cells_of_two_recipes_are_not_mixed(
    run: Run, trained: list[CellKey], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*TWO) == 0
    path = CellKey("cnn", 20, 1).path(tmp_path)
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    document["settings"]["weights"] = "others"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert run("--max_minutes", "0") == 2
    assert "cnn_20_1.json was trained with other settings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--models", "vgg"), "--models: there is no 'vgg'; choose from cnn, cnn_affine,"),
        (("--sizes", "ten"), "'ten' is not a whole number"),
        (("--models", "cnn", "--sizes", "5000"), "--sizes must be from 10 to 350, not 5000"),
        (("--models", "cnn", "--sizes", "5"), "--sizes must be from 10 to 350, not 5"),
        (("--weights", "missing.pth", "--models", "resnet50"), "missing.pth does not exist"),
        (("--weights", "none", "--models", "resnet50"), "--weights none leaves nothing"),
    ],
)
def test_mistakes_are_one_line(
    run: Run, options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--seeds", "0", *options) == 2
    assert message in capsys.readouterr().err


def test_arms_train_longer_on_more_images_up_to_the_whole_preset() -> None:
    cnn = ARMS[0]
    steps = [cnn.steps(n, 128, 25, 55_000) for n in (100, 1_000, 10_000, 55_000)]
    assert steps == sorted(steps)
    assert (steps[0], steps[-1]) == (1000, 25 * 430)
