"""``scripts/ensemble.py`` on the files of several seeds, written without training."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from comparison_inputs import LINEAR_MACS, write_model, write_seeds

from mnist_lightning.commands import compare, export, report
from mnist_lightning.commands.ensemble import main
from mnist_lightning.comparison import members
from mnist_lightning.comparison.schema import Comparison, read_comparison
from mnist_lightning.evaluation import cost
from mnist_lightning.evaluation.calibration import scale
from mnist_lightning.evaluation.peak_memory import PeakMemory
from mnist_lightning.export.metadata import METADATA_FILE
from mnist_lightning.export.torchscript import load_torchscript
from mnist_lightning.files.identity import describe_file
from mnist_lightning.records.exported_files import read_exports
from mnist_lightning.records.predictions import read_predictions
from mnist_lightning.records.record import read_record

# One ensemble, that of ``made``, draws its figures.
pytestmark = pytest.mark.usefixtures("empty_figures")

NAME = "custom_cnn_ensemble"
ARTEFACTS = {
    f"{NAME}_{end}"
    for end in (
        *("model.pt", "model.safetensors", "predictions.npz", "metrics.json", "exports.json"),
        *("card.md", "confusion_matrix.png", "examples.png"),
    )
}
SEEDS = (0, 1, 2, 4, 5, 10)


@pytest.fixture(scope="module", autouse=True)
def _short_measurements() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost, "measure_peak_memory", lambda path, n: PeakMemory(n, 10**8, 2 * 10**8))
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_data_dir: Path) -> Path:
    """A folder with six seeds, the last of which comes first in alphabetical order."""
    folder = tmp_path_factory.mktemp("trained")
    write_seeds(folder, tiny_data_dir, SEEDS)
    write_model(folder, tiny_data_dir, "custom_cnn", 2.5, seed=0)
    return folder


@pytest.fixture(scope="module")
def made(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same folder with the ensemble."""
    folder = Path(shutil.copytree(trained, tmp_path_factory.mktemp("made") / "output"))
    assert run(folder) == 0
    return folder


def run(output: Path, *argv: str) -> int:
    return main(["--output_dir", str(output), *argv])


def of_seed(output: Path, seed: int, end: str) -> Path:
    return output / "seeds" / "custom_cnn" / f"seed_{seed}_{end}"


def test_the_first_five_seeds_are_averaged_and_the_files_of_a_training_are_written(
    made: Path, trained: Path
) -> None:
    before = {path.name for path in trained.iterdir()}
    assert {path.name for path in made.iterdir()} - before == ARTEFACTS

    found = read_predictions(made / f"{NAME}_predictions.npz")
    temperature = read_record(made / f"{NAME}_metrics.json").model.temperature
    assert temperature is not None
    members = [read_predictions(of_seed(made, seed, "predictions.npz")) for seed in SEEDS[:5]]
    for split in ("test", "validation"):
        ours = getattr(found, split)
        theirs = [getattr(member, split) for member in members]
        mean = np.mean([one.probabilities for one in theirs], axis=0, dtype=np.float64)
        assert np.allclose(ours.probabilities, scale(mean, temperature), atol=1e-5)
        assert np.array_equal(ours.probabilities.argmax(1), mean.argmax(1))
        assert np.array_equal(ours.labels, theirs[0].labels)
        assert np.array_equal(ours.indices, theirs[0].indices)


def test_the_record_describes_all_members(made: Path) -> None:
    record = read_record(made / f"{NAME}_metrics.json")
    members = [read_record(of_seed(made, seed, "metrics.json")) for seed in SEEDS[:5]]
    predictions = read_predictions(made / f"{NAME}_predictions.npz").test

    assert record.model.title == "Custom CNN, ensemble of 5"
    assert record.members is not None
    assert record.members.seeds == SEEDS[:5]
    assert record.members.files == tuple(member.model.file.sha256 for member in members)
    assert record.members.class_path == members[0].model.class_path
    assert record.model.parameters.total == 5 * members[0].model.parameters.total
    training = record.training
    assert (training.seed, training.train_loss, training.train_accuracy) == (None, None, None)
    assert training.epochs == 5 * members[0].training.epochs
    assert training.seconds == pytest.approx(sum(one.training.seconds for one in members))
    assert training.commit == members[0].training.commit
    assert training.command[-6:] == ("--seeds", "0", "1", "2", "4", "5")
    assert "--seed_everything" not in training.command
    assert record.dataset == members[0].dataset
    assert record.test.correct == (predictions.probabilities.argmax(1) == predictions.labels).sum()
    assert record.test.accuracy > max(member.test.accuracy for member in members)
    assert record.export.max_abs_difference < 1e-5
    assert record.export.n == record.test.n == 100
    assert record.model.file == describe_file(made / f"{NAME}_model.pt")
    assert record.model.weights_file == describe_file(made / f"{NAME}_model.safetensors")
    assert read_exports(made / f"{NAME}_exports.json").files[0].file == record.model.file


def test_the_exported_file_runs_alone_and_describes_itself(made: Path) -> None:
    path = made / f"{NAME}_model.pt"
    images = torch.randint(0, 256, (3, 1, 28, 28), dtype=torch.uint8)
    members = [load_torchscript(of_seed(made, seed, "model.pt")) for seed in SEEDS[:5]]
    extra = {METADATA_FILE: ""}
    model = torch.jit.load(path, _extra_files=extra)
    with torch.inference_mode():
        mean = torch.stack([member(images).softmax(1) for member in members]).mean(0)
        found = model(images).softmax(1)
    metadata = json.loads(extra[METADATA_FILE])
    expected = scale(mean.numpy(), float(metadata["temperature"]))
    assert np.allclose(found.numpy(), expected, atol=1e-4)
    accuracy = read_record(made / f"{NAME}_metrics.json").test.accuracy
    assert metadata["title"] == "Custom CNN, ensemble of 5"
    assert float(metadata["test_accuracy"]) == pytest.approx(accuracy)


def test_it_is_one_more_model_in_the_comparison_and_in_the_report(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = Path(shutil.copytree(made, tmp_path / "output"))

    def write(comparison: Comparison, images: object, folder: Path, _: object) -> list[Path]:
        comparison.write(folder / "model_comparison.json")
        return [folder / "model_comparison.json"]

    monkeypatch.setattr(compare, "write_comparison", write)
    assert compare.main(["--output_dir", str(output), "--seconds", "0"]) == 0

    found = read_comparison(output / "model_comparison.json")
    assert [model.name for model in found.models] == ["custom_cnn", NAME]
    assert [model.is_ensemble for model in found.models] == [False, True]
    assert found.models[1].cost.multiply_accumulates == 5 * LINEAR_MACS
    conclusion = " ".join(found.conclusion)
    assert "Custom CNN (ensemble of 5) averages several trainings" in conclusion
    assert "was trained once" not in conclusion

    document = tmp_path / "report.md"
    parts = ("training", "seeds", "reproduce", "sonuclar")
    document.write_text("\n".join(f"<!-- generated:{part} -->\n<!-- end -->" for part in parts))
    assert report.main([str(document), "--output_dir", str(output)]) == 0
    text = document.read_text(encoding="utf-8")
    assert "| Custom CNN (ensemble of 5) | 0, 1, 2, 4, 5 | 75 |" in text
    assert "with one seed only" not in text
    assert "--seeds 0 1 2 4 5\npython scripts/ensemble.py --model custom_cnn --seeds 0 1 2 4 5" in (
        text
    )
    assert "| Custom CNN (ensemble of 5) |" in text.partition("<!-- generated:sonuclar -->")[2]


def test_the_card_and_the_summary_name_the_members(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(output, "--model", "cnn", "--seeds", "10", "2") == 0
    text = capsys.readouterr().out
    assert "Custom CNN, ensemble of 2" in text
    assert "10, 2" in text
    assert "Next: python scripts/compare.py" in text
    card = (output / f"{NAME}_card.md").read_text(encoding="utf-8")
    assert "the mean of the probabilities of 2 networks" in card
    assert "with the seeds 10, 2" in card
    assert "`python scripts/ensemble.py --model custom_cnn --seeds 10 2`" in card
    assert f"| {NAME}_model.pt | TorchScript |" in card


def test_an_ensemble_can_be_exported_in_other_formats(tiny_data_dir: Path, tmp_path: Path) -> None:
    write_seeds(tmp_path, tiny_data_dir, (0, 1), {"widths": [4, 8], "convs_per_stage": 1})
    assert run(tmp_path) == 0
    argv = ["--output_dir", str(tmp_path), "--model", NAME]
    assert export.main([*argv, "--formats", "pt2", "onnx"]) == 0

    exports = read_exports(tmp_path / f"{NAME}_exports.json")
    assert exports.source == f"{NAME}_model.safetensors"
    assert [one.parity.format for one in exports.files] == ["torch.export", "ONNX"]
    assert all(one.parity.max_abs_difference < 1e-4 for one in exports.files)
    accuracy = read_record(tmp_path / f"{NAME}_metrics.json").test.accuracy
    assert all(one.accuracy == accuracy for one in exports.files)
    assert export.main([*argv, "--ckpt_path", "last.ckpt"]) == 2

    # Files of another ensemble of this name must not stay next to the new ones.
    assert run(tmp_path) == 0
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == ARTEFACTS


def test_seeds_without_their_files_are_left_out(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of_seed(output, 0, "model.safetensors").unlink()
    of_seed(output, 2, "predictions.npz").unlink()
    assert run(output) == 0
    error = capsys.readouterr().err
    assert "leaving out seed 0" in error
    assert "has no seed_0_model.safetensors" in error
    assert "has no seed_2_predictions.npz" in error
    members = read_record(output / f"{NAME}_metrics.json").members
    assert members is not None
    assert members.seeds == (1, 4, 5, 10)


def refused(output: Path, capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Run, expect exit status 2 without changes to any file, and return the error.

    Messages about the data come before it.
    """
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    assert run(output, *argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    line = err.splitlines()[-1]
    assert line.startswith("error: ")
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == before
    return line


def test_members_that_do_not_belong_together_are_refused(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = of_seed(output, 1, "metrics.json")
    record = read_record(path)
    dataset = replace(record.dataset, name="Other", fingerprint="e" * 64)
    model = replace(record.model, hyperparameters={"widths": [1]})
    training = replace(record.training, command=("--model", "cnn", "--data.batch_size", "9"))
    remedy = "run `python scripts/train.py --model cnn --seeds"
    for changed, problem in (
        (replace(record, dataset=dataset), "different data, Other (eeeeeeee) and"),
        (replace(record, model=model), "different recipes"),
        (replace(record, training=training), "different recipes or commands"),
        (replace(record, model=replace(record.model, temperature=None)), "one of which calibrates"),
    ):
        changed.write(path)
        error = refused(output, capsys)
        assert "seed 1 and seed 0" in error
        assert problem in error
        assert remedy in error
    assert run(output, "--seeds", "0", "2") == 0


def test_files_that_are_not_those_of_the_record_are_refused(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, other = (of_seed(output, seed, "model.safetensors") for seed in (1, 2))
    shutil.copyfile(other, mine)
    assert "seed_1_model.safetensors is not the file" in refused(output, capsys)
    # Even if the hash was edited into the record.
    path = of_seed(output, 1, "metrics.json")
    record = read_record(path)
    replace(record, model=replace(record.model, weights_file=describe_file(other))).write(path)
    error = refused(output, capsys)
    assert "seed_1_model.safetensors gives other probabilities than its recorded" in error
    assert "run `python scripts/train.py --model cnn --seeds" in error


def test_the_default_is_five() -> None:
    assert members.SIZE == 5
