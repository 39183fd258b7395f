"""The timed trainings and the tables of their times; no speed is tested.

The processes that the benchmark starts are replaced by calls in this process.
"""

import importlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks import harness, recipes, time_to_accuracy, time_to_accuracy_tables
from benchmarks.peers import one_epoch, ours, pytorch_example, timed_training
from benchmarks.peers.timed_training import Clock, TimedTraining
from benchmarks.recipes import RECIPES, Recipe
from benchmarks.study import build_study
from benchmarks.time_to_accuracy_figure import plot_accuracy
from mnist_lightning.data.digits import DigitDataset, Digits
from mnist_lightning.data.sources import load_dataset

TINY = ["--model.widths", "[4]", "--trainer.accelerator", "cpu"]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder to which the benchmark writes."""
    folder = tmp_path / "results"
    monkeypatch.setattr(harness, "RESULTS", folder)
    return folder


@pytest.fixture
def raw_dir(tiny_data_dir: Path, tmp_path: Path) -> Path:
    """The tiny files in torchvision's folders."""
    raw = tmp_path / "MNIST" / "raw"
    raw.parent.mkdir()
    raw.symlink_to(tiny_data_dir)
    return tmp_path


@pytest.fixture
def tiny_set(tiny_digits: Digits) -> DigitDataset:
    return DigitDataset("tiny", tiny_digits, tiny_digits, "", is_standard=False)


def _clock() -> Clock:
    return Clock(started=0.0)


def _check(training: TimedTraining, *, epochs: int, images: int) -> None:
    assert training.training_images == images
    assert len(training.laps) == len(training.test_accuracy) == epochs
    assert 1 <= training.selected_epoch <= epochs
    seconds = [lap.training_seconds for lap in training.laps]
    assert seconds == sorted(seconds)
    assert all(
        0 < lap.training_seconds < lap.process_seconds and 0 <= accuracy <= 1
        for lap, accuracy in zip(training.laps, training.test_accuracy, strict=True)
    )


def test_a_paused_clock_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    now = SimpleNamespace(seconds=100.0)
    fake = SimpleNamespace(time=lambda: now.seconds, perf_counter=lambda: now.seconds)
    monkeypatch.setattr(timed_training, "time", fake)
    clock = Clock(started=90.0)
    clock.start()
    now.seconds += 2
    clock.lap()
    with clock.paused():
        now.seconds += 1000
    now.seconds += 3
    clock.lap()

    assert [(lap.training_seconds, lap.process_seconds) for lap in clock.laps] == [(2, 12), (5, 15)]


def test_a_pause_before_the_first_step_is_in_neither_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = SimpleNamespace(seconds=0.0)
    fake = SimpleNamespace(time=lambda: now.seconds, perf_counter=lambda: now.seconds)
    monkeypatch.setattr(timed_training, "time", fake)
    clock = Clock(started=0.0)
    with clock.paused():
        now.seconds += 1000
    clock.start()
    now.seconds += 1
    clock.lap()

    assert clock.laps == [timed_training.Lap(1, 1)]


def test_timing_does_not_change_our_training(tiny_data_dir: Path, tmp_path: Path) -> None:
    options = ["--model", "cnn_fast", *TINY, "--data.data_dir", str(tiny_data_dir)]
    options += ["--trainer.max_epochs", "3"]
    cli = build_study(tmp_path, options)
    cli.trainer.fit(cli.model, cli.datamodule)

    timed = build_study(tmp_path, options)
    timed.datamodule.setup()
    laps = ours.EpochLaps(_clock(), timed.datamodule)
    timed.trainer.callbacks.append(laps)
    timed.trainer.fit(timed.model, timed.datamodule)

    assert cli.history.rows == timed.history.rows
    assert len(laps.clock.laps) == len(laps.epochs) == 3
    for name, value in cli.model.network.state_dict().items():
        assert torch.equal(value, timed.model.network.state_dict()[name]), name
        # The averaged weights, which are validated and in the network at the end.
        assert torch.equal(value, laps.epochs[-1][name]), name


def test_our_recipe_keeps_the_last_epoch_as_a_training_does(tiny_data_dir: Path) -> None:
    options = ["--model", "cnn_fast", *TINY, "--data.data_dir", str(tiny_data_dir)]
    options += ["--trainer.max_epochs", "3"]

    training = ours.train(_clock(), [*options, "--trainer.precision", "32-true"])

    _check(training, epochs=3, images=350)
    assert training.selected_epoch == 3
    assert training.precision == "32-true"


@pytest.mark.parametrize("bfloat16", [False, True])
def test_the_one_epoch_recipe(tiny_set: DigitDataset, bfloat16: bool) -> None:
    training = one_epoch.train(tiny_set, _clock(), seed=0, epochs=2, bfloat16=bfloat16)

    _check(training, epochs=2, images=50)
    # 5x5x24, 3x3x32, 256 hidden units and ten digits, with biases.
    assert training.parameters == 624 + 6_944 + 205_056 + 2_570
    assert training.precision == ("bf16-mixed" if bfloat16 else "32-true")


def test_the_seed_determines_the_one_epoch_recipe(tiny_data_dir: Path) -> None:
    dataset = load_dataset(tiny_data_dir, download=False)

    accuracies = [one_epoch.train(dataset, _clock(), seed=seed).test_accuracy for seed in (1, 1, 2)]

    assert accuracies[0] == accuracies[1] != accuracies[2]


def test_the_pytorch_example(raw_dir: Path) -> None:
    training = pytorch_example.train(raw_dir, _clock(), seed=0, epochs=1)

    _check(training, epochs=1, images=400)
    assert training.parameters == 1_199_882


@pytest.mark.parametrize(
    ("name", "parameters", "images"),
    [("keras_convnet", 34_826, 360), ("keras_study", 1_199_882, 400)],
)
def test_the_keras_recipes(name: str, parameters: int, images: int, raw_dir: Path) -> None:
    pytest.importorskip("keras", reason="there is no TensorFlow")
    peer = importlib.import_module(f"benchmarks.peers.{name}")
    output = raw_dir / "run.json"

    peer.main(["--output", str(output), "--data_dir", str(raw_dir), "--epochs", "2"])

    run = json.loads(output.read_text())
    assert (run["parameters"], run["training_images"]) == (parameters, images)
    assert len(run["laps"]) == len(run["test_accuracy"]) == 2


def _run_here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Train in this process instead of new ones; return the list of started trainings."""
    started = []

    def run(command: Sequence[str], **options: Any) -> SimpleNamespace:
        module = importlib.import_module(command[2])
        started.append(f"{command[2]} {command[command.index('--seed') + 1]}")
        module.main(list(command[3:]))
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(recipes, "subprocess", SimpleNamespace(run=run))
    return started


def test_recipes_alternate_and_are_not_repeated(
    results: Path,
    tiny_data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    started = _run_here(monkeypatch)
    tiny = ("--model", "cnn_fast", *TINY)
    monkeypatch.setitem(RECIPES, "cnn_fast", Recipe("ours", "ours", tiny))
    for name in ("keras_convnet", "keras_study"):
        monkeypatch.setitem(RECIPES, name, Recipe(name, name, needs="no_such_package"))
    argv = ["--data_dir", str(tiny_data_dir), "--recipes", "cnn_fast", "one_epoch", "keras_study"]

    time_to_accuracy.main([*argv, "--seeds", "3", "4"])

    mine, peer = "benchmarks.peers.ours", "benchmarks.peers.one_epoch"
    assert started == [f"{mine} 3", f"{peer} 3", f"{mine} 4", f"{peer} 4"]
    recipes = ("cnn_fast", "one_epoch")
    names = [f"{recipe}_seed_{seed}.json" for recipe in recipes for seed in (3, 4)]
    files = sorted((results / "time_to_accuracy").iterdir())
    assert [path.name for path in files] == names
    run = json.loads(files[0].read_text())
    assert (run["recipe"], run["seed"], run["options"]) == ("cnn_fast", 3, list(tiny))
    assert run["machine"]["processor"]
    summary = json.loads((results / "time_to_accuracy.json").read_text())
    assert summary["recipes"].keys() == {"cnn_fast", "one_epoch"}
    assert summary["recipes"]["one_epoch"]["times_one_epoch"] == 1
    assert (results / "time_to_accuracy.png").read_bytes().startswith(b"\x89PNG")
    assert "| keras_study | missing: install with pip install -e .[peers] |" in (
        capsys.readouterr().out
    )

    time_to_accuracy.main([*argv, "--seeds", "4", "5"])

    assert started[4:] == [f"{mine} 5", f"{peer} 5"]
    # The tables show all result files.
    summary = json.loads((results / "time_to_accuracy.json").read_text())
    assert summary["recipes"]["cnn_fast"]["seeds"] == [3, 4, 5]


def test_a_failed_training_is_named_and_writes_no_file(
    results: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failed = SimpleNamespace(returncode=1, stderr="ValueError: no such thing\n")
    monkeypatch.setattr(recipes, "subprocess", SimpleNamespace(run=lambda *_, **__: failed))

    with pytest.raises(SystemExit, match=r"one-epoch recipe, seed 7, (?s:.)*no such thing"):
        recipes.train("one_epoch", 7, tmp_path)

    assert not results.exists()


def _run(
    accuracies: Sequence[float], selected: int | None = None, pace: float = 1
) -> dict[str, Any]:
    laps = [
        {"training_seconds": pace * epoch, "process_seconds": 10 + pace * epoch}
        for epoch in range(1, len(accuracies) + 1)
    ]
    return {
        "parameters": 1234,
        "precision": "32-true",
        "laps": laps,
        "test_accuracy": list(accuracies),
        "selected_epoch": selected or len(accuracies),
    }


def test_the_time_to_an_accuracy_is_that_of_the_first_epoch_that_reaches_it() -> None:
    run = _run([0.98, 0.991, 0.989, 0.993])

    assert time_to_accuracy_tables.seconds_to(run, 0.99, "training_seconds") == 2
    assert time_to_accuracy_tables.seconds_to(run, 0.99, "process_seconds") == 12
    assert math.isinf(time_to_accuracy_tables.seconds_to(run, 0.995, "training_seconds"))


def test_seeds_that_never_reach_an_accuracy_count_as_infinite() -> None:
    runs = {0: _run([0.991, 0.993]), 1: _run([0.98, 0.991]), 2: _run([0.98, 0.98], selected=1)}

    summary = time_to_accuracy_tables.summarise(runs)

    reached = summary["to"]["training_seconds"]
    assert reached["0.990"] == {"seconds": 2, "reached": 2}
    assert reached["0.992"] == {"seconds": None, "reached": 1}
    assert summary["accuracy_mean"] == pytest.approx((0.993 + 0.991 + 0.98) / 3)
    assert (summary["training_seconds"], summary["process_seconds"]) == (2, 12)


def test_the_ratio_to_the_one_epoch_recipe_is_paired_by_seed() -> None:
    mine = {seed: _run([0.99], pace=pace) for seed, pace in enumerate((1, 2, 30))}
    reference = {seed: _run([0.99], pace=pace) for seed, pace in enumerate((2, 8))}
    runs = {"cnn_fast": mine, "one_epoch": reference}

    assert time_to_accuracy_tables.ratio_to_reference(runs, "cnn_fast") == (1 / 2 + 2 / 8) / 2
    assert time_to_accuracy_tables.ratio_to_reference({"cnn_fast": mine}, "cnn_fast") is None


def test_the_plot_shows_medians_over_the_seeds_on_both_clocks() -> None:
    runs = {"ours": [_run([0.99, 0.995]), _run([0.98, 0.995], pace=3)], "peer": [_run([0.985])]}

    figure = plot_accuracy(runs, {"training_seconds": "a", "process_seconds": "b"}, [0.99])

    left, right = figure.axes
    line = next(line for line in left.lines if str(line.get_label()).startswith("ours"))
    assert line.get_label() == "ours (2 seeds)"
    assert list(line.get_xdata()) == [2, 4]
    assert list(line.get_ydata()) == pytest.approx([0.985, 0.995])
    assert right.get_title() == "b"
