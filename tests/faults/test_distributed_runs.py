"""Trainings in two processes: their results, and what happens when one is stopped or killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from two_processes import TWO, train_as_two_nodes, train_in_two

from mnist_lightning.commands.train import main
from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.models import CNNClassifier
from mnist_lightning.records.record import read_record
from mnist_lightning.training.checkpoints import read_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("empty_figures")]

ROOT = Path(__file__).resolve().parents[2]
RUN = Path("runs/custom_cnn/version_0")


def _arguments(data: Path, output: Path, *more: str) -> list[str]:
    return [
        *("--model", "cnn"),
        *("--data.data_dir", str(data)),
        *("--data.augmentation", "null"),
        *("--model.widths", "[4, 8]"),
        *("--model.dropout", "0.3"),
        *("--trainer.max_epochs", "2"),
        *("--trainer.accelerator", "cpu"),
        *("--trainer.precision", "32-true"),
        *("--export_formats", "[]"),
        *("--output_dir", str(output)),
        *more,
    ]


def _witness(folder: Path) -> list[str]:
    name = "process_callbacks.Witness"
    return ["--trainer.callbacks+", name, "--trainer.callbacks.folder", str(folder)]


def _send(rank: int, step: int, signum: int, *, to_all: bool = False) -> list[str]:
    return [
        *("--trainer.callbacks+", "process_callbacks.Signal"),
        *("--trainer.callbacks.rank", str(rank)),
        *("--trainer.callbacks.step", str(step)),
        *("--trainer.callbacks.signum", str(int(signum))),
        *("--trainer.callbacks.group", str(to_all).lower()),
    ]


def _with_the_script(start: list[str], arguments: list[str], folder: Path) -> tuple[int, str, str]:
    """Train in two processes as a user does, each of which imports everything."""
    paths = os.pathsep.join(map(str, [ROOT, ROOT / "tests", Path(__file__).parent]))
    short = ["--trainer.callbacks+", "short_timings.ShortTimings"]
    done = subprocess.run(
        [*start, str(ROOT / "scripts" / "train.py"), *arguments, *short, *TWO],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


def _files(folder: Path) -> list[str]:
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    # The events are named after the time and the process.
    return sorted(name.split(".tfevents.")[0] for name in names)


@pytest.fixture(scope="module")
def whole(tiny_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training in two processes, with the final state of each in ``ranks``."""
    folder = tmp_path_factory.mktemp("whole")
    arguments = _arguments(tiny_data_dir, folder / "output", *_witness(folder / "ranks"))
    status, out, err = _with_the_script([sys.executable], arguments, folder)
    assert (status, err.count("WARNING"), err.count("error")) == (0, 1, 0), err
    assert out.count("Test accuracy") == 1
    return folder


def test_both_processes_have_the_same_weights_and_trained_on_each_image_once(
    whole: Path, tiny_data: MNISTDataModule
) -> None:
    first, second = (torch.load(whole / "ranks" / f"rank_{rank}.pt") for rank in (0, 1))

    torch.testing.assert_close(first["weights"], second["weights"], rtol=0, atol=0)
    seen = torch.cat([first["images"], second["images"]])
    assert _sorted(seen) == _sorted(tiny_data.train.images)


def _sorted(images: torch.Tensor) -> list[bytes]:
    return sorted(image.numpy().tobytes() for image in images)


def test_torchrun_starts_two_processes_that_train_one_network(
    tiny_data_dir: Path, tmp_path: Path
) -> None:
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    torchrun = shutil.which("torchrun", path=folders)
    assert torchrun is not None
    # The port of a standalone start is a free one.
    start = [torchrun, "--standalone", "--nproc_per_node", "2"]
    arguments = _arguments(tiny_data_dir, tmp_path / "output", *_witness(tmp_path / "ranks"))
    arguments += ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1"]

    status, out, err = _with_the_script(start, arguments, tmp_path)

    assert (status, out.count("Test accuracy"), "Traceback" in err) == (0, 1, False), err
    training = read_record(tmp_path / "output" / "custom_cnn_metrics.json").training
    assert (training.devices, training.steps) == (2, 1)
    first, second = (torch.load(tmp_path / "ranks" / f"rank_{rank}.pt") for rank in (0, 1))
    torch.testing.assert_close(first["weights"], second["weights"], rtol=0, atol=0)
    assert set(_sorted(first["images"])).isdisjoint(_sorted(second["images"]))
    # Half of one of the three steps that 350 images take.
    assert len(first["images"]) == len(second["images"]) == 58


def test_two_processes_write_the_same_files_as_one(
    whole: Path, tiny_data_dir: Path, tmp_path: Path
) -> None:
    assert main(_arguments(tiny_data_dir, tmp_path, "--trainer.devices", "1")) == 0

    assert _files(whole / "output") == _files(tmp_path)


def test_recorded_metrics_are_those_of_a_single_process(
    whole: Path, tiny_data: MNISTDataModule, make_trainer: Any
) -> None:
    output = whole / "output"
    record = read_record(output / "custom_cnn_metrics.json")
    model = CNNClassifier(widths=[4, 8])
    last = read_checkpoint(output / RUN / "checkpoints" / "last.ckpt")
    model.load_state_dict(last["state_dict"])
    row = pd.read_csv(output / RUN / "metrics.csv").iloc[-1]
    trainer = make_trainer()

    trainer.validate(model, tiny_data, verbose=False)
    validated = {name: float(value) for name, value in trainer.callback_metrics.items()}
    (tested,) = trainer.test(model, tiny_data, verbose=False)

    assert record.training.devices == 2
    assert row["val/accuracy"] == pytest.approx(validated["val/accuracy"], rel=1e-6)
    assert row["val/loss"] == pytest.approx(validated["val/loss"], rel=1e-5)
    for name, value in record.trainer_test.items():
        assert value == pytest.approx(tested[f"test/{name}"], rel=1e-5)
    assert record.test.accuracy == pytest.approx(tested["test/accuracy"], rel=1e-6)


# Two epochs have the steps 1 to 6. Each training below resumes the one before it. When the second
# process dies, the first one ends by an error of gloo, or Lightning kills it.
STOPS = [
    ("the second process is killed", _send(1, 5, signal.SIGKILL), {1, -9}, ""),
    ("the first process is killed", _send(0, 5, signal.SIGKILL), {-9}, ""),
    ("Ctrl-C", _send(0, 4, signal.SIGINT, to_all=True), {130}, "stopped by SIGINT with"),
    ("SIGTERM", _send(0, 5, signal.SIGTERM), {143}, "stopped by SIGTERM with"),
]


def test_a_training_stopped_in_every_way_and_resumed_ends_like_an_uninterrupted_one(
    whole: Path, tiny_data_dir: Path, tmp_path: Path
) -> None:
    output, alone = tmp_path / "output", tmp_path / "alone"
    resume: list[str] = []
    for what, signals, expected, says in STOPS:
        stopped = _arguments(tiny_data_dir, output, *resume, *signals)
        status, err = train_in_two(stopped, tmp_path)

        assert status in expected, f"{what}: {err}"
        if says:
            assert err.count(says) == err.count("--ckpt_path last") == 1, f"{what}: {err}"
            assert "Traceback" not in err
        resume = ["--ckpt_path", "last"]
        if not alone.exists():
            shutil.copytree(output, alone)

    nodes = train_as_two_nodes(_arguments(tiny_data_dir, output, *resume), tmp_path)
    assert [status for status, _ in nodes] == [0, 0], nodes
    assert [said.count("Test accuracy") for _, said in nodes] == [1, 0]
    last, expected = (
        read_checkpoint(folder / RUN / "checkpoints" / "last.ckpt")
        for folder in (output, whole / "output")
    )
    torch.testing.assert_close(last["state_dict"], expected["state_dict"], rtol=0, atol=0)

    # One process with batches of twice the size.
    one = ["--data.batch_size", "128", "--trainer.devices", "1", *resume]
    assert main(_arguments(tiny_data_dir, alone, *one)) == 0
    assert json.loads((alone / "custom_cnn_metrics.json").read_text())["training"]["resumed"]


def test_when_one_process_hangs_the_other_ends_both_after_the_timeout(
    tiny_data_dir: Path, tmp_path: Path
) -> None:
    hung = ["--trainer.timeout", "10", *_send(1, 5, signal.SIGSTOP)]
    arguments = _arguments(tiny_data_dir, tmp_path / "output", *hung)

    status, err = train_in_two(arguments, tmp_path)

    assert status == 1, err
    assert read_checkpoint(tmp_path / "output" / RUN / "checkpoints" / "last.ckpt")["epoch"] == 0
