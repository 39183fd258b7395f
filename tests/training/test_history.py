from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2

from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.models import CNNClassifier
from mnist_lightning.training.checkpoints import read_checkpoint
from mnist_lightning.training.history import History
from mnist_lightning.training.run_logger import RunLogger

MakeTrainer = Callable[..., Trainer]
METRICS = ["train/loss", "train/accuracy", "val/loss", "val/accuracy"]


@pytest.fixture
def model() -> CNNClassifier:
    return CNNClassifier(widths=[4], convs_per_stage=1)


@pytest.fixture
def logger(tmp_path: Path) -> RunLogger:
    return RunLogger(tmp_path, "cnn")


def _events(logger: RunLogger) -> EventAccumulator:
    accumulator = EventAccumulator(logger.log_dir)
    accumulator.Reload()
    return accumulator


class Rates(Callback):
    """Keeps the learning rate with which the optimiser makes each step, counted from 1."""

    def __init__(self) -> None:
        self.used: dict[int, float] = {}

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Any
    ) -> None:
        self.used[trainer.global_step + 1] = optimizer.param_groups[0]["lr"]


def test_each_epoch_adds_one_row_to_the_table_the_file_and_tensorboard(
    model: CNNClassifier, logger: RunLogger, tiny_data: MNISTDataModule, make_trainer: MakeTrainer
) -> None:
    history, rates = History(), Rates()
    trainer = make_trainer(history, rates, logger=logger, max_epochs=3)

    trainer.fit(model, tiny_data)

    table = history.table
    assert sorted(table.columns) == sorted(["epoch", "step", "lr", *METRICS])
    assert table["epoch"].tolist() == [1, 2, 3]
    assert table["step"].tolist() == [6, 12, 18]
    assert table["lr"].is_monotonic_decreasing
    assert table["lr"].tolist() == pytest.approx([rates.used[step] for step in (6, 12, 18)])
    pd.testing.assert_frame_equal(pd.read_csv(Path(logger.log_dir, "metrics.csv")), table)
    events = _events(logger)
    assert sorted(events.Tags()["scalars"]) == sorted(["train/lr", *METRICS])
    for name in ["lr", *METRICS]:
        scalars = events.Scalars("train/lr" if name == "lr" else name)
        assert [scalar.step for scalar in scalars] == [6, 12, 18]
        assert [scalar.value for scalar in scalars] == pytest.approx(table[name].tolist())
    for name in METRICS:
        assert table[name].iloc[-1] == pytest.approx(trainer.callback_metrics[name].item())


def test_an_epoch_is_logged_before_its_checkpoint_is_written(
    model: CNNClassifier, logger: RunLogger, tiny_data: MNISTDataModule, make_trainer: MakeTrainer
) -> None:
    found: list[list[int]] = []

    class Reader(Checkpoint):
        """Reads the events at the moment when checkpoints are written."""

        def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            found.append([scalar.step for scalar in _events(logger).Scalars("val/loss")])

    make_trainer(History(), Reader(), logger=logger, max_epochs=2).fit(model, tiny_data)

    assert found == [[6], [6, 12]]


def test_training_and_validation_share_a_chart_in_tensorboard(
    model: CNNClassifier, logger: RunLogger, tiny_data: MNISTDataModule, make_trainer: MakeTrainer
) -> None:
    make_trainer(History(), logger=logger).fit(model, tiny_data)

    events = _events(logger)
    (event,) = events.Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(event.tensor_proto.string_val[0])
    charts = {
        chart.title: list(chart.multiline.tag)
        for category in layout.category
        for chart in category.chart
    }
    assert charts == {
        "loss": ["train/loss", "val/loss"],
        "accuracy": ["train/accuracy", "val/accuracy"],
    }
    # A chart of names that are not logged would stay empty.
    written = events.Tags()["scalars"]
    assert all(name in written for names in charts.values() for name in names)


def test_a_checkpoint_contains_the_row_of_its_epoch_and_restores_the_history(
    model: CNNClassifier,
    logger: RunLogger,
    tiny_data: MNISTDataModule,
    make_trainer: MakeTrainer,
    tmp_path: Path,
) -> None:
    saver = ModelCheckpoint(tmp_path / "saved", save_on_train_epoch_end=True)
    history = History()
    make_trainer(history, saver, logger=logger, max_epochs=2).fit(model, tiny_data)

    states: dict[str, Any] = read_checkpoint(Path(saver.best_model_path))["callbacks"]
    (state,) = (state for name, state in states.items() if "History" in name)
    continued = History()
    continued.load_state_dict(state)

    assert continued.rows == history.rows
    continued.rows.append({"epoch": 3})
    assert len(state["rows"]) == 2


def test_without_a_folder_only_the_table_is_kept(
    model: CNNClassifier, tiny_data: MNISTDataModule, make_trainer: MakeTrainer, tmp_path: Path
) -> None:
    history = History()

    make_trainer(history, logger=False).fit(model, tiny_data)

    assert len(history.table) == 1
    assert list(tmp_path.rglob("*.csv")) == []


@pytest.mark.parametrize(("epochs", "recorded"), [(1, 6), (2, 12), (3, 0)])
def test_only_a_short_run_records_the_loss_of_each_step(
    epochs: int,
    recorded: int,
    model: CNNClassifier,
    tiny_data: MNISTDataModule,
    make_trainer: MakeTrainer,
) -> None:
    history, resumed = History(), History()

    make_trainer(history, max_epochs=epochs).fit(model, tiny_data)

    assert history.step_losses.index.tolist() == list(range(1, recorded + 1))
    if recorded:
        mean = history.step_losses.iloc[:6].mean()
        # Batches of 58 and 59 images weigh a little differently in the epoch's mean.
        assert mean == pytest.approx(history.rows[0]["train/loss"], rel=0.01)
    resumed.load_state_dict(history.state_dict())
    assert resumed.step_losses.equals(history.step_losses)
