"""After a full disk or a lost permission, each file is the old one or the new one, complete."""

import errno
import hashlib
import json
import os
import pathlib
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.summary.writer.record_writer import RecordWriter

from mnist_lightning.commands.train import main
from mnist_lightning.export.loading import load_network
from mnist_lightning.files.storage import atomic_path
from mnist_lightning.training.run_logger import RunLogger

pytestmark = pytest.mark.usefixtures("empty_figures")

WRITTEN = [
    "metrics.csv",
    "last.ckpt",
    "custom_cnn_model.pt",
    "custom_cnn_model.safetensors",
    "custom_cnn_predictions.npz",
    "custom_cnn_training_curves.png",
    "custom_cnn_confusion_matrix.png",
    "custom_cnn_examples.png",
    "custom_cnn_metrics.json",
]


def _argv(data_dir: Path, output_dir: Path, *more: str) -> list[str]:
    return [
        *("--model", "cnn", "--data.data_dir", str(data_dir), "--data.batch_size", "64"),
        *("--model.widths", "[4]", "--trainer.max_epochs", "1"),
        *("--trainer.limit_train_batches", "2", "--trainer.accelerator", "cpu"),
        *("--export_formats", "[]", "--output_dir", str(output_dir), *more),
    ]


@pytest.fixture(scope="module")
def finished(tiny_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a complete run."""
    folder = tmp_path_factory.mktemp("finished")
    assert main(_argv(tiny_data_dir, folder)) == 0
    return folder


def _hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _check_intact(path: Path) -> None:
    """Read the whole file in the format of its suffix."""
    if path.suffix == ".ckpt":
        torch.load(path, weights_only=True)
    elif path.suffix in (".pt", ".safetensors"):
        load_network(path)
    elif path.suffix == ".npz":
        with np.load(path) as arrays:
            assert [arrays[name].shape for name in arrays]
    elif path.suffix == ".png":
        Image.open(path).load()
    elif path.suffix == ".json":
        json.loads(path.read_text())


def _fails_at(name: str) -> Callable[..., Any]:
    """Return a ``Path.chmod`` that fails as if the disk became full while ``name`` is written."""
    real = pathlib.Path.chmod

    def chmod(self: Path, mode: int, **options: Any) -> None:
        stem, _, suffix = name.rpartition(".")
        if re.fullmatch(rf"\.{stem}-\w+\.tmp\.{suffix}", self.name):
            # Half of the file is written.
            self.write_bytes(self.read_bytes()[: self.stat().st_size // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, mode, **options)

    return chmod


@pytest.mark.parametrize("name", WRITTEN)
def test_a_full_disk_at_any_file_keeps_the_old_one_and_is_reported(
    name: str,
    finished: Path,
    tiny_data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for path in finished.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    before = _hashes(tmp_path)
    monkeypatch.setattr(pathlib.Path, "chmod", _fails_at(name))

    assert main(_argv(tiny_data_dir, tmp_path, "--seed_everything", "1")) == 2

    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert error.endswith(f"{name}: No space left on device")
    after = _hashes(tmp_path)
    assert after.get(name) == before.get(name)
    assert [path for path in after if ".tmp" in path] == []
    for path in after:
        _check_intact(tmp_path / path)


def _remove(folder: Path, patch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(folder)


def _replace_by_a_file(folder: Path, patch: pytest.MonkeyPatch) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.write_text("mine")


def _make_read_only(folder: Path, patch: pytest.MonkeyPatch) -> None:
    # Permissions would not stop the superuser.
    def refuse(**options: Any) -> tuple[int, str]:
        raise OSError(errno.EROFS, "Read-only file system", str(folder / ".metrics-x.tmp.csv"))

    patch.setattr(tempfile, "mkstemp", refuse)


@pytest.mark.parametrize(
    ("lose", "message", "kept"),
    [
        (_make_read_only, r"/metrics\.csv: Read-only file system", "output"),
        (_replace_by_a_file, r"/events\.out\.[\w.]+: Not a directory", "elsewhere"),
        (_remove, r"/events\.out\.[\w.]+: No such file or directory", None),
    ],
)
def test_an_output_folder_lost_after_the_first_epoch_stops_the_run_in_one_line(
    lose: Callable[[Path, pytest.MonkeyPatch], None],
    message: str,
    kept: str | None,
    tiny_data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "output"
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        moved = real(self, target)
        if target.name == "last.ckpt":
            lose(output, monkeypatch)
        return moved

    monkeypatch.setattr(Path, "replace", replace)

    assert main(_argv(tiny_data_dir, output, "--trainer.max_epochs", "2")) == 2

    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert re.fullmatch(
        rf"error: {output}/runs/custom_cnn/version_0{message}", error.splitlines()[-1]
    )
    for path in _hashes(tmp_path):
        _check_intact(tmp_path / path)
    if kept:
        last = tmp_path / kept / "runs/custom_cnn/version_0/checkpoints/last.ckpt"
        assert torch.load(last, weights_only=True)["epoch"] == 0
    assert not output.is_file() or output.read_text() == "mine"


def test_a_full_disk_at_tensorboards_file_stops_the_run_in_one_line(
    tiny_data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = RecordWriter.write

    def write(self: RecordWriter, data: bytes) -> None:
        if b"val/loss" in data:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, data)

    monkeypatch.setattr(RecordWriter, "write", write)

    assert main(_argv(tiny_data_dir, tmp_path)) == 2

    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith("error: ")
    assert error.splitlines()[-1].endswith("version_0: No space left on device")
    assert "Traceback" not in error
    assert [path for path in _hashes(tmp_path) if path.endswith((".ckpt", ".json"))] == []


def test_checkpoints_are_written_next_to_their_destination(
    tiny_data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnist_lightning.experiment.write_results", lambda *args: "")
    moved: list[tuple[Path, Path]] = []
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        moved.append((self.parent, Path(target)))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    assert main(_argv(tiny_data_dir, tmp_path)) == 0

    checkpoints = [(folder, to) for folder, to in moved if to.suffix == ".ckpt"]
    assert {to.name for _, to in checkpoints} == {"last.ckpt"}
    assert all(folder == to.parent for folder, to in checkpoints)


def test_runs_that_start_at_the_same_time_take_a_folder_each(tmp_path: Path) -> None:
    barrier = threading.Barrier(16)

    def begin(_: int) -> int:
        barrier.wait()
        return int(RunLogger(tmp_path, "cnn").version)

    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(begin, range(16))) == list(range(16))


def test_of_two_concurrent_writers_one_wins_and_no_reader_sees_an_incomplete_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "record.json"
    contents = [str(number) * 100_000 for number in range(2)]
    path.write_text(contents[0])

    def write(content: str) -> None:
        for _ in range(30):
            with atomic_path(path) as temporary:
                temporary.write_text(content)

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(write, content) for content in contents]
        while not all(job.done() for job in jobs):
            assert path.read_text() in contents
        for job in jobs:
            job.result()

    assert path.read_text() in contents
    assert [one.name for one in tmp_path.iterdir()] == ["record.json"]


def test_the_next_run_of_a_model_deletes_incomplete_files_of_killed_ones(
    tiny_data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnist_lightning.experiment.write_results", lambda *args: "")
    checkpoints = tmp_path / "runs/custom_cnn/version_0/checkpoints"
    checkpoints.mkdir(parents=True)
    for name, hours in (("abandone", 2), ("stillnew", 0)):
        path = checkpoints / f".last-{name}.tmp.ckpt"
        path.write_bytes(b"half")
        os.utime(path, (time.time() - 3600 * hours,) * 2)

    assert main(_argv(tiny_data_dir, tmp_path)) == 0

    assert (tmp_path / "runs/custom_cnn/version_1").is_dir()
    assert [path.name for path in checkpoints.iterdir()] == [".last-stillnew.tmp.ckpt"]
