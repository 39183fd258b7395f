"""What several seeds leave, without the trainings: the files, their order, what is done already."""

from dataclasses import replace
from pathlib import Path

import pytest
from comparison_inputs import GOLDEN_RECORD

from mnist_lightning import results
from mnist_lightning.cli import StudyCLI
from mnist_lightning.comparison.seed_study import read_seeds
from mnist_lightning.records.record import read_record
from mnist_lightning.train import train_seeds

GOLDEN = read_record(GOLDEN_RECORD)
ENDS = ("model.pt", "predictions.npz", "metrics.json")


class Trainings:
    """Stands for the trainings: leaves three files of each and remembers what was asked of it."""

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
        for end in ENDS[:2]:
            (folder / f"custom_cnn_{end}").write_text(f"{end} of {seed}")
        training = replace(GOLDEN.training, seed=seed, command=tuple(cli.command))
        replace(GOLDEN, training=training).write(folder / "custom_cnn_metrics.json")


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    # A checkpoint of nothing is none; what matters is that it is asked for.
    monkeypatch.setattr("mnist_lightning.cli.find_checkpoint", lambda *args: Path("last.ckpt"))
    monkeypatch.setattr("mnist_lightning.cli.read_checkpoint", lambda *args: {})
    monkeypatch.setattr("mnist_lightning.cli.check_fits", lambda *args: None)
    trainings = Trainings()
    monkeypatch.setattr("mnist_lightning.train.train", trainings)
    return trainings


def _words(output_dir: Path) -> list[str]:
    return ["--model", "cnn", "--trainer.accelerator", "cpu", "--output_dir", str(output_dir)]


def test_each_seed_keeps_its_exported_file_its_predictions_and_its_record(
    tmp_path: Path, trainings: Trainings
) -> None:
    train_seeds(_words(tmp_path), [4, 5])

    folder = tmp_path / "seeds" / "custom_cnn"
    kept = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
    assert kept.keys() == {f"seed_{seed}_{end}" for seed in (4, 5) for end in ENDS}
    assert kept["seed_5_model.pt"] == "model.pt of 5"
    assert kept["seed_5_predictions.npz"] == "predictions.npz of 5"
    assert [record.training.seed for record in read_seeds(tmp_path, GOLDEN)] == [4, 5]
    assert (tmp_path / "custom_cnn_model.pt").read_text() == "model.pt of 4"


@pytest.mark.parametrize("torn", ENDS)
def test_a_seed_whose_files_were_not_all_kept_is_not_done(
    torn: str, tmp_path: Path, trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = results.copy_file

    def stop(source: Path, destination: Path) -> None:
        if destination.name == f"seed_5_{torn}":
            raise KeyboardInterrupt
        copy(source, destination)

    with monkeypatch.context() as patch:
        patch.setattr(results, "copy_file", stop)
        with pytest.raises(KeyboardInterrupt):
            train_seeds(_words(tmp_path), [4, 5])
    folder = tmp_path / "seeds" / "custom_cnn"
    assert not (folder / "seed_5_metrics.json").exists()

    train_seeds(_words(tmp_path), [4, 5])

    assert trainings.seeds == [4, 5, 5]
    assert trainings.resumed == [5]
    assert all((folder / f"seed_5_{end}").is_file() for end in ENDS)


def test_a_seed_of_which_only_the_record_was_kept_is_done(
    tmp_path: Path, trainings: Trainings, capsys: pytest.CaptureFixture[str]
) -> None:
    words = _words(tmp_path)
    folder = tmp_path / "seeds" / "custom_cnn"
    command = (*words, "--seed_everything", "4")
    training = replace(GOLDEN.training, seed=4, command=command)
    replace(GOLDEN, training=training).write(folder / "seed_4_metrics.json")

    train_seeds(words, [4, 5])

    assert trainings.seeds == [5]
    assert "seed 4: done" in capsys.readouterr().out
    assert not (folder / "seed_4_model.pt").exists()
    assert [record.training.seed for record in read_seeds(tmp_path, GOLDEN)] == [4, 5]
