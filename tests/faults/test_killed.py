"""Trainings that are killed at chosen moments and resumed, and two trainings at once."""

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

if sys.platform == "win32":
    pytest.skip("Windows has neither fork nor SIGKILL", allow_module_level=True)

from benchmarks.kill_sweep import (
    CONTEXT,
    kill_and_resume,
    make_inputs,
    shorten_training,
    start,
    training_argv,
)
from mnist_lightning.commands.train import main
from mnist_lightning.files import storage
from mnist_lightning.records.exported_files import read_exports
from mnist_lightning.records.record import Record, read_record


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    make_inputs(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "place", "number"),
    [
        pytest.param("cnn", "batch", 11, id="CNN within a step of the second epoch"),
        pytest.param("cnn", "checkpoint", 6, id="CNN while the last checkpoint is written"),
        pytest.param("cnn", "export", 1, id="CNN while the exported file is written"),
        pytest.param("frozen", "batch", 12, id="frozen"),
        pytest.param("finetune", "batch", 13, id="finetune"),
        pytest.param("scratch", "checkpoint", 7, id="scratch"),
    ],
)
def test_a_killed_run_that_is_resumed_writes_the_same_results(
    kind: str, place: str, number: int, folder: Path
) -> None:
    outcome = kill_and_resume(kind, place, number, folder, f"{place}-{number}")

    assert outcome["killed"] == -9
    assert outcome["resumed"]
    assert outcome["status"] == 0
    assert outcome["different"] == []


def _train_beside_another(argv: list[str], barrier: Any, first: bool) -> None:
    """Train, and write the results at the same time as another run; the first one is slow."""
    shorten_training()
    alone, write = storage.one_writer, Record.write

    def meet(folder: Path, name: str) -> Any:
        barrier.wait(timeout=60)
        time.sleep(0.0 if first else 0.3)
        return alone(folder, name)

    def write_late(self: Record, path: Path) -> None:
        time.sleep(1.0 if first else 0.0)
        write(self, path)

    storage.one_writer, Record.write = meet, write_late  # type: ignore[method-assign]
    os._exit(main(argv))


def test_of_two_trainings_at_once_the_later_one_replaces_all_results(
    folder: Path, tmp_path: Path
) -> None:
    argv, barrier = training_argv("cnn", folder, tmp_path), CONTEXT.Barrier(2)
    seeds = [[*argv, "--seed_everything", seed] for seed in ("0", "1")]
    both = [start(_train_beside_another, seeds[n], barrier, n == 0) for n in (0, 1)]
    for one in both:
        one.join()

    assert [one.exitcode for one in both] == [0, 0]
    record = read_record(tmp_path / "custom_cnn_metrics.json")
    assert record.training.seed == 1
    for described in (record.model.file, record.model.weights_file, record.predictions):
        assert described is not None
        content = (tmp_path / described.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == described.sha256
    assert read_exports(tmp_path / "custom_cnn_exports.json").files[0].file == record.model.file
    assert list(tmp_path.rglob(".*")) == []
    versions = [tmp_path / "runs/custom_cnn" / f"version_{number}" for number in (0, 1)]
    configs = [yaml.safe_load((version / "config.yaml").read_text()) for version in versions]
    assert sorted(config["seed_everything"] for config in configs) == [0, 1]
    for version in versions:
        last = torch.load(version / "checkpoints" / "last.ckpt", weights_only=True)
        assert len((version / "metrics.csv").read_text().splitlines()) == last["epoch"] + 2
