from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer

from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.models import CNNClassifier
from mnist_lightning.training.run_checkpoint import RunCheckpoint
from mnist_lightning.training.run_logger import RunLogger

SECRET = b"a private file"
Fit = Callable[..., Path]


@pytest.fixture
def fit(make_trainer: Callable[..., Trainer], tiny_data: MNISTDataModule, tmp_path: Path) -> Fit:
    """Train or resume a run of one step; return the folder of its checkpoints."""

    def run(name: str, resume_from: Path | None = None) -> Path:
        logger = RunLogger(tmp_path, name)
        best = RunCheckpoint("best.ckpt", "val/accuracy", "max", resume_from)
        last = RunCheckpoint("last.ckpt", resume_from=resume_from)
        trainer = make_trainer(best, last, logger=logger, limit_train_batches=1)
        model = CNNClassifier(widths=(4,))
        trainer.fit(model, tiny_data, ckpt_path=resume_from, weights_only=True)
        return Path(logger.log_dir, "checkpoints")

    return run


def _name_as_best(checkpoint: Path, path: Path) -> None:
    """Change the path of the best checkpoint that a checkpoint contains."""
    content: dict[str, Any] = torch.load(checkpoint, weights_only=True)
    states = [state for key, state in content["callbacks"].items() if "RunCheckpoint" in key]
    for state in states:
        assert state["best_model_path"]
        state["best_model_path"] = str(path)
    assert len(states) == 2
    torch.save(content, checkpoint)


def test_a_run_resumed_in_another_folder_copies_its_best_checkpoint(fit: Fit) -> None:
    before = fit("first")
    (before / "best.ckpt").write_bytes(b"unique content")

    after = fit("second", before / "last.ckpt")

    assert (after / "best.ckpt").read_bytes() == (before / "best.ckpt").read_bytes()


@pytest.mark.parametrize("way", ["{secret}", "{folder}/../../../elsewhere/secret"])
def test_an_untrusted_checkpoint_cannot_make_a_file_of_another_folder_be_copied(
    way: str, fit: Fit, tmp_path: Path
) -> None:
    secret = tmp_path / "elsewhere" / "secret"
    secret.parent.mkdir()
    secret.write_bytes(SECRET)
    before = fit("first")
    named = Path(way.format(secret=secret, folder=before))
    assert named.read_bytes() == SECRET
    _name_as_best(before / "last.ckpt", named)

    after = fit("second", before / "last.ckpt")

    assert (after / "last.ckpt").is_file()
    assert [path.name for path in after.rglob("*") if path.read_bytes() == SECRET] == []


def test_a_finished_run_resumed_from_its_best_checkpoint_copies_it_to_the_last_one(
    fit: Fit,
) -> None:
    before = fit("first")
    (before / "last.ckpt").unlink()

    after = fit("second", before / "best.ckpt")

    assert (after / "last.ckpt").read_bytes() == (before / "best.ckpt").read_bytes()


@pytest.mark.parametrize(
    ("mode", "scores", "kept"),
    [("max", [0.8, 0.9, 0.9, 0.7], 3), ("min", [0.8, 0.7, 0.7, 0.9], 3), ("max", [0.9, 0.8], 1)],
)
def test_the_last_of_equally_good_epochs_is_kept(
    mode: str,
    scores: list[float],
    kept: int,
    make_trainer: Callable[..., Trainer],
    tiny_data: MNISTDataModule,
    tmp_path: Path,
) -> None:
    class Scored(CNNClassifier):
        def on_train_epoch_end(self) -> None:
            super().on_train_epoch_end()
            self.log("score", scores[self.current_epoch])

    best = RunCheckpoint("best.ckpt", "score", mode)
    logger = RunLogger(tmp_path, "scored")
    trainer = make_trainer(
        best, logger=logger, max_epochs=len(scores), limit_train_batches=1, limit_val_batches=0
    )
    trainer.fit(Scored(widths=(4,)), tiny_data)

    checkpoint = torch.load(best.best_model_path, weights_only=True)
    assert checkpoint["epoch"] + 1 == kept
