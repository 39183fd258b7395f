"""``scripts/export.py`` on the files of a tiny CNN."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from comparison_inputs import write_model

from mnist_lightning.commands.export import main
from mnist_lightning.data.sources import load_dataset
from mnist_lightning.errors import OutputError
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.export.loading import load_network
from mnist_lightning.export.metadata import read_entries
from mnist_lightning.export.temperature import fold
from mnist_lightning.files.identity import describe_file
from mnist_lightning.models import CNNClassifier
from mnist_lightning.records.exported_files import read_exports
from mnist_lightning.records.record import read_record

NAME = "custom_cnn"
SETTINGS = {"widths": [4, 8], "dropout": 0.0}


@pytest.fixture(scope="module")
def trained(tiny_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of a tiny CNN."""
    folder = tmp_path_factory.mktemp("trained")
    write_model(folder, tiny_data_dir, NAME, noise=0.0, settings=SETTINGS)
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "out"))


@pytest.fixture(autouse=True)
def _short_measurements() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mnist_lightning.export.reduced_precision.ROUNDS", 2)
        yield


def _export(folder: Path, *argv: str) -> int:
    return main(["--output_dir", str(folder), *argv])


def test_all_formats_are_written_and_described(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / f"{NAME}_model.pt").read_bytes()

    assert _export(folder, "--formats", "torchscript", "pt2", "int8", "bfloat16") == 0

    exports = read_exports(folder / f"{NAME}_exports.json")
    names = [f"{NAME}_model{end}" for end in (".pt", ".pt2", ".onnx")]
    assert [one.file.name for one in exports.files] == names
    for one in exports.files:
        assert one.file == describe_file(folder / one.file.name)
        assert one.parity.n == 100
        assert one.parity.max_abs_difference < 1e-4
        assert one.correct == read_record(folder / f"{NAME}_metrics.json").test.correct
    assert exports.source == f"{NAME}_model.safetensors"
    # The record names its hash.
    assert (folder / f"{NAME}_model.pt").read_bytes() == before
    int8 = exports.quantisation
    assert int8 is not None
    faster = min(int8.speedup_single, int8.speedup_batched) > 1
    assert (int8.file is not None) == (folder / f"{NAME}_model_int8.onnx").exists() == faster
    bfloat16 = exports.bfloat16
    assert bfloat16 is not None
    path = folder / f"{NAME}_model_bfloat16.pt"
    assert (bfloat16.file is not None) == path.exists() == bfloat16.is_worth_it
    if bfloat16.file is not None:
        assert bfloat16.file == describe_file(path)
    out = capsys.readouterr().out
    assert ("ONNX int8 was not kept" in out) == (not faster)
    assert ("TorchScript bfloat16 was not kept" in out) == (not bfloat16.is_worth_it)
    card = (folder / f"{NAME}_card.md").read_text()
    for heading in ("Intended use", "Data", "Metrics", "Calibration", "Limits", "Licence"):
        assert f"## {heading}\n" in card
    assert all(name in card for name in names)


def test_a_less_precise_file_alone_is_described_beside_its_float32_file(folder: Path) -> None:
    assert _export(folder, "--formats", "bfloat16") == 0

    exports = read_exports(folder / f"{NAME}_exports.json")
    assert [one.file.name for one in exports.files] == [f"{NAME}_model.pt"]
    assert exports.quantisation is None
    assert exports.bfloat16 is not None


def test_a_card_without_predictions_has_no_calibration(folder: Path) -> None:
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
    assert "Continuing with 1,000 images" in capsys.readouterr().err
    assert read_exports(folder / f"{NAME}_exports.json").files[0].parity.n == 1000


def test_a_description_of_another_version_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _export(folder, "--formats", "torchscript") == 0
    path = folder / f"{NAME}_exports.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "schema_version": 99}))

    with pytest.raises(OutputError, match="schema version 99"):
        read_exports(path)
    # The command replaces it without reading it.
    assert _export(folder, "--formats", "torchscript") == 0


def test_a_checkpoint_replaces_the_files_of_a_training_that_kept_no_weights(
    folder: Path, tiny_data_dir: Path
) -> None:
    path = folder / f"{NAME}_metrics.json"
    record = read_record(path)
    calibrated = load_network(folder / f"{NAME}_model.safetensors")
    temperature = record.model.temperature
    assert temperature is not None
    network = fold(calibrated, 1 / temperature)
    replace(record, model=replace(record.model, weights_file=None)).write(path)
    for end in (".pt", ".safetensors"):
        (folder / f"{NAME}_model{end}").unlink()
    model = CNNClassifier(**SETTINGS)
    model.network = network
    content = {"hyper_parameters": SETTINGS, "loops": {}, "global_step": 1}
    torch.save({**content, "state_dict": model.state_dict()}, folder / "last.ckpt")

    assert (
        _export(folder, "--ckpt_path", str(folder / "last.ckpt"), "--formats", "torchscript") == 0
    )

    found = read_record(path)
    assert found.model.file == describe_file(folder / f"{NAME}_model.pt")
    assert found.model.weights_file == describe_file(folder / f"{NAME}_model.safetensors")
    assert read_exports(folder / f"{NAME}_exports.json").source == "last.ckpt"
    images = load_dataset(tiny_data_dir, "mnist", download=False).test.images
    again = load_network(folder / f"{NAME}_model.safetensors")
    found_logits, logits = predict_logits(again, images), predict_logits(calibrated, images)
    torch.testing.assert_close(found_logits, logits, atol=1e-6, rtol=1e-5)
    for end in (".pt", ".safetensors"):
        stated = read_entries(folder / f"{NAME}_model{end}")["temperature"]
        assert float(stated) == pytest.approx(temperature, abs=1e-6)


def test_files_of_a_record_without_temperature_stay_uncalibrated_and_say_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / f"{NAME}_metrics.json"
    record = read_record(path)
    replace(record, model=replace(record.model, temperature=None)).write(path)

    assert _export(folder, "--formats", "torchscript", "pt2", "onnx") == 0

    assert "softmax of the new files is not calibrated" in capsys.readouterr().err
    for end in (".pt2", ".onnx"):
        assert read_entries(folder / f"{NAME}_model{end}")["temperature"] == "none"
    card = (folder / f"{NAME}_card.md").read_text()
    assert "their softmax is not calibrated" in card
    assert "The exported files do not contain it" in card
