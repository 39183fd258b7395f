from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping

from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.models import CNNClassifier
from mnist_lightning.training.checkpoints import AtomicCheckpointIO, read_checkpoint
from mnist_lightning.training.run_checkpoint import RunCheckpoint
from mnist_lightning.training.run_logger import RunLogger

Fit = Callable[..., Path]


@pytest.fixture
def fit(make_trainer: Callable[..., Trainer], tiny_data: MNISTDataModule, tmp_path: Path) -> Fit:
    """Train or resume a run of one step an epoch; return the folder of its checkpoints."""

    def run(
        name: str, *callbacks: Callback, resume_from: Path | None = None, **options: Any
    ) -> Path:
        logger = RunLogger(tmp_path, name)
        trainer = make_trainer(
            *callbacks,
            RunCheckpoint(resume_from),
            logger=logger,
            limit_train_batches=1,
            plugins=AtomicCheckpointIO(),
            **options,
        )
        model = CNNClassifier(widths=(4,))
        trainer.fit(model, tiny_data, ckpt_path=resume_from, weights_only=True)
        return Path(logger.log_dir, "checkpoints")

    return run


def _steps(folder: Path) -> dict[str, int]:
    return {path.name: read_checkpoint(path)["global_step"] for path in folder.glob("*")}


def test_the_last_two_epochs_are_kept(fit: Fit) -> None:
    assert _steps(fit("one", max_epochs=1)) == {"last.ckpt": 1}
    assert _steps(fit("four", max_epochs=4)) == {"last.ckpt": 4, "previous.ckpt": 3}


def test_a_checkpoint_names_no_file_of_the_machine(fit: Fit, tmp_path: Path) -> None:
    folder = fit("first")

    assert str(tmp_path).encode() not in (folder / "last.ckpt").read_bytes()


def test_a_finished_run_resumed_in_another_folder_copies_its_checkpoint(fit: Fit) -> None:
    before = fit("first")

    after = fit("second", resume_from=before / "last.ckpt")

    assert (after / "last.ckpt").read_bytes() == (before / "last.ckpt").read_bytes()
    assert [path.name for path in after.iterdir()] == ["last.ckpt"]


def test_a_run_that_early_stopping_ended_is_finished_when_it_is_resumed(fit: Fit) -> None:
    def stopping() -> EarlyStopping:
        return EarlyStopping("val/loss", stopping_threshold=100.0)

    before = fit("first", stopping(), max_epochs=3)
    assert _steps(before) == {"last.ckpt": 1}

    assert _steps(fit("second", stopping(), resume_from=before / "last.ckpt", max_epochs=3)) == {
        "last.ckpt": 1
    }
    # Without the callback, the training goes on.
    with pytest.warns(UserWarning, match="EarlyStopping"):
        more = fit("third", resume_from=before / "last.ckpt", max_epochs=3)
    assert _steps(more) == {"last.ckpt": 3, "previous.ckpt": 2}


def test_a_trial_run_saves_nothing(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    fit("first", fast_dev_run=True)

    assert list(tmp_path.rglob("*.ckpt")) == []
