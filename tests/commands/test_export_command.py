"""``scripts/export.py`` on a model that was made in a blink, and on the one in ``output/``."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from comparison_inputs import leave_model

from mnist_lightning.commands.export import main
from mnist_lightning.data.sources import load_dataset
from mnist_lightning.errors import OutputError
from mnist_lightning.evaluation.metrics import measure_in_detail
from mnist_lightning.export.torchscript import export_torchscript
from mnist_lightning.files.identity import describe_file
from mnist_lightning.models.cnn import CNN
from mnist_lightning.records.exported_files import read_exports
from mnist_lightning.records.record import read_record

NAME = "custom_cnn"


@pytest.fixture(scope="module")
def trained(tiny_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of a tiny CNN, whose record tells its settings."""
    folder = tmp_path_factory.mktemp("trained")
    record = leave_model(folder, tiny_data_dir, NAME, noise=0.0)
    torch.manual_seed(0)
    images = load_dataset(tiny_data_dir, "mnist", download=False).test
    path = folder / f"{NAME}_model.pt"
    exported = export_torchscript(CNN((4, 8)), path, images.images)
    model = replace(record.model, file=describe_file(path))
    model.hyperparameters.update(widths=[4, 8], dropout=0.0)
    replace(record, model=model, test=measure_in_detail(exported.logits, images.labels)).write(
        folder / f"{NAME}_metrics.json"
    )
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "out"))


@pytest.fixture(autouse=True)
def _short_measurements() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mnist_lightning.export.int8.ROUNDS", 2)
        yield


def _export(folder: Path, *words: str) -> int:
    return main(["--output_dir", str(folder), *words])


def test_all_formats_are_written_and_accounted_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / f"{NAME}_model.pt").read_bytes()

    assert _export(folder, "--formats", "torchscript", "pt2", "int8") == 0

    exports = read_exports(folder / f"{NAME}_exports.json")
    names = [f"{NAME}_model{end}" for end in (".pt", ".pt2", ".onnx")]
    assert [one.file.name for one in exports.files] == names
    for one in exports.files:
        assert one.file == describe_file(folder / one.file.name)
        assert one.parity.n == 100
        assert one.parity.max_abs_difference < 1e-4
        assert one.correct == read_record(folder / f"{NAME}_metrics.json").test.correct
    assert exports.source == f"{NAME}_model.pt"
    # The record has its hash.
    assert (folder / f"{NAME}_model.pt").read_bytes() == before
    int8 = exports.quantisation
    assert int8 is not None
    faster = min(int8.speedup_single, int8.speedup_batched) > 1
    assert (int8.file is not None) == (folder / f"{NAME}_model_int8.onnx").exists() == faster
    assert ("was not kept" in capsys.readouterr().out) == (not faster)
    card = (folder / f"{NAME}_card.md").read_text()
    for heading in ("Intended use", "Data", "Metrics", "Calibration", "Limits", "Licence"):
        assert f"## {heading}\n" in card
    assert all(name in card for name in names)


def test_a_card_says_what_it_does_not_know(folder: Path) -> None:
    (folder / f"{NAME}_predictions.npz").unlink()

    assert _export(folder, "--formats", "torchscript") == 0
    assert "Not computed" in (folder / f"{NAME}_card.md").read_text()


def test_without_the_data_files_the_installed_digits_are_used_and_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / f"{NAME}_metrics.json"
    record = read_record(path)
    training = replace(record.training, command=("--data.data_dir", str(tmp_path / "none")))
    replace(record, training=training).write(path)

    assert _export(folder, "--formats", "torchscript") == 0
    assert "Going on with 1,000 images" in capsys.readouterr().err
    assert read_exports(folder / f"{NAME}_exports.json").files[0].parity.n == 1000


def test_an_account_of_another_version_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _export(folder, "--formats", "torchscript") == 0
    path = folder / f"{NAME}_exports.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "schema_version": 99}))

    with pytest.raises(OutputError, match="schema version 99"):
        read_exports(path)
    # The command makes it anew and does not need the old one.
    assert _export(folder, "--formats", "torchscript") == 0
