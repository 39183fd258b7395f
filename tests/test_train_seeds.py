"""The files that several seeds keep, their order, and which seeds are complete."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from comparison_inputs import GOLDEN_RECORD

from mnist_lightning import results
from mnist_lightning.cli import StudyCLI
from mnist_lightning.commands.train import train_seeds
from mnist_lightning.comparison.seed_study import read_seeds
from mnist_lightning.errors import UserError
from mnist_lightning.files.identity import describe_file
from mnist_lightning.records.record import read_record

GOLDEN = read_record(GOLDEN_RECORD)
ENDS = ("model.safetensors", "model.pt", "predictions.npz", "metrics.json")

CHECKPOINT = {"hyper_parameters": {"contrast_normalisation": True}}


class Trainings:
    """Replaces the trainings: writes four files of each, and remembers its arguments."""

    def __init__(self) -> None:
        self.seeds: list[int] = []
        self.resumed: list[int] = []

    def __call__(self, cli: StudyCLI) -> None:
        seed, folder = cli.config.seed_everything, cli.output_dir
        self.seeds.append(seed)
        if cli.config.ckpt_path == "last":
            self.resumed.append(seed)
        checkpoint = folder / "runs/custom_cnn/version_0/checkpoints/last.ckpt"
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.touch()
        for end in ENDS[:-1]:
            (folder / f"custom_cnn_{end}").write_text(f"{end} of {seed}")
        training = replace(GOLDEN.training, seed=seed, command=tuple(cli.command))
        model = replace(
            GOLDEN.model,
            file=describe_file(folder / "custom_cnn_model.pt"),
            weights_file=describe_file(folder / "custom_cnn_model.safetensors"),
        )
        predictions = describe_file(folder / "custom_cnn_predictions.npz")
        replace(GOLDEN, model=model, predictions=predictions, training=training).write(
            folder / "custom_cnn_metrics.json"
        )


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    # The checkpoint is empty; what matters is that it is requested.
    monkeypatch.setattr("mnist_lightning.cli.find_checkpoint", lambda *args: Path("last.ckpt"))
    monkeypatch.setattr("mnist_lightning.cli.read_checkpoint", lambda *args: CHECKPOINT)
    monkeypatch.setattr("mnist_lightning.cli.check_fits", lambda *args: None)
    trainings = Trainings()
    monkeypatch.setattr("mnist_lightning.experiment.train", trainings)
    return trainings


def _argv(output_dir: Path) -> list[str]:
    return ["--model", "cnn", "--trainer.accelerator", "cpu", "--output_dir", str(output_dir)]


def test_each_seed_keeps_its_model_its_predictions_and_its_record(
    tmp_path: Path, trainings: Trainings
) -> None:
    train_seeds(_argv(tmp_path), [4, 5])

    folder = tmp_path / "seeds" / "custom_cnn"
    kept = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
    assert kept.keys() == {f"seed_{seed}_{end}" for seed in (4, 5) for end in ENDS}
    assert kept["seed_5_model.pt"] == "model.pt of 5"
    assert kept["seed_5_predictions.npz"] == "predictions.npz of 5"
    assert [record.training.seed for record in read_seeds(tmp_path, GOLDEN)] == [4, 5]
    assert (tmp_path / "custom_cnn_model.pt").read_text() == "model.pt of 4"
    assert (tmp_path / "custom_cnn_model.safetensors").read_text() == "model.safetensors of 4"


def test_older_files_next_to_the_results_of_the_first_seed_are_deleted(
    tmp_path: Path, trainings: Trainings
) -> None:
    for name in ("custom_cnn_model.onnx", "custom_cnn_fast_model.onnx", "custom_cnn_notes.txt"):
        (tmp_path / name).touch()

    train_seeds(_argv(tmp_path), [4, 5])

    names = {path.name for path in tmp_path.iterdir() if path.is_file()}
    written = {f"custom_cnn_{end}" for end in ENDS}
    assert names == written | {"custom_cnn_fast_model.onnx", "custom_cnn_notes.txt"}


@pytest.mark.parametrize("missing", ENDS)
def test_a_seed_whose_files_were_not_all_kept_is_not_complete(
    missing: str, tmp_path: Path, trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = results.copy_file

    def stop(source: Path, destination: Path) -> None:
        if destination.name == f"seed_5_{missing}":
            raise KeyboardInterrupt
        copy(source, destination)

    with monkeypatch.context() as patch:
        patch.setattr(results, "copy_file", stop)
        with pytest.raises(KeyboardInterrupt):
            train_seeds(_argv(tmp_path), [4, 5])
    folder = tmp_path / "seeds" / "custom_cnn"
    assert not (folder / "seed_5_metrics.json").exists()

    train_seeds(_argv(tmp_path), [4, 5])

    assert trainings.seeds == [4, 5, 5]
    assert trainings.resumed == [5]
    assert all((folder / f"seed_5_{end}").is_file() for end in ENDS)


@pytest.mark.parametrize("lost", ENDS[:-1])
def test_a_seed_that_lost_a_file_is_trained_again(
    lost: str, tmp_path: Path, trainings: Trainings, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = _argv(tmp_path)
    train_seeds(argv, [4, 5])
    folder = tmp_path / "seeds" / "custom_cnn"
    (folder / f"seed_4_{lost}").unlink()

    train_seeds(argv, [4, 5])

    assert trainings.seeds == [4, 5, 4]
    assert "seed 5: done" in capsys.readouterr().out
    assert (folder / f"seed_4_{lost}").is_file()


def test_a_seed_whose_model_is_not_the_recorded_one_is_trained_again(
    tmp_path: Path, trainings: Trainings
) -> None:
    argv = _argv(tmp_path)
    train_seeds(argv, [4])
    (tmp_path / "seeds" / "custom_cnn" / "seed_4_model.pt").write_text("another")

    train_seeds(argv, [4])

    assert trainings.seeds == [4, 4]


def test_a_seed_whose_best_epoch_an_older_version_exported_is_not_complete(
    tmp_path: Path, trainings: Trainings
) -> None:
    train_seeds(_argv(tmp_path), [4, 5])
    for seed, best_epoch in ((4, 13), (5, 15)):
        path = tmp_path / "seeds" / "custom_cnn" / f"seed_{seed}_metrics.json"
        document = json.loads(path.read_text())
        document["schema_version"] = 2
        document["training"] |= {"best_epoch": best_epoch, "epochs": 15}
        for key in ("train_loss", "train_accuracy"):
            document["training"][f"best_{key}"] = document["training"].pop(key)
        path.write_text(json.dumps(document))

    train_seeds(_argv(tmp_path), [4, 5])

    assert trainings.seeds == [4, 5, 4]
    assert trainings.resumed == [4]


def test_a_seed_killed_before_its_first_checkpoint_was_complete_starts_again(
    tmp_path: Path, trainings: Trainings
) -> None:
    folder = tmp_path / "seeds/custom_cnn/seed_4/runs/custom_cnn/version_0/checkpoints"
    folder.mkdir(parents=True)
    (folder / ".last-half.tmp.ckpt").touch()

    train_seeds(_argv(tmp_path), [4])

    assert trainings.resumed == []


def test_a_seed_of_another_command_is_refused(tmp_path: Path, trainings: Trainings) -> None:
    train_seeds(_argv(tmp_path), [4])

    with pytest.raises(UserError, match="of another command"):
        train_seeds([*_argv(tmp_path), "--data.batch_size", "64"], [4])
