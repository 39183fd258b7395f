import logging
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from comparison_inputs import golden_comparison

from mnist_lightning.comparison.histories import read_histories
from mnist_lightning.comparison.schema import ComparedModel

LOSS = 0.25


@pytest.fixture
def model() -> ComparedModel:
    found = golden_comparison().models[0]
    training = replace(found.training, epochs=3, train_loss=LOSS)
    return replace(found, training=training)


def write(folder: Path, version: int, losses: list[float]) -> Path:
    path = folder / "runs" / "custom_cnn" / f"version_{version}" / "metrics.csv"
    path.parent.mkdir(parents=True)
    columns = dict.fromkeys(("val/loss", "train/accuracy", "val/accuracy"), 0.5)
    epochs = range(1, len(losses) + 1)
    pd.DataFrame({"epoch": epochs, "train/loss": losses, **columns}).to_csv(path, index=False)
    return path


def test_history_of_the_compared_training_is_read(tmp_path: Path, model: ComparedModel) -> None:
    write(tmp_path, 0, [0.5, 0.3, LOSS])
    (history,) = read_histories(tmp_path, [model]).values()
    assert history["train/loss"].tolist() == [0.5, 0.3, LOSS]


def test_history_of_a_training_with_several_seeds_is_that_of_its_seed(
    tmp_path: Path, model: ComparedModel
) -> None:
    write(tmp_path, 0, [0.5, 0.3, 0.26])  # a later run with another seed
    seed = f"seed_{model.training.seed}"
    write(tmp_path / "seeds" / "custom_cnn" / seed, 0, [0.5, 0.3, LOSS])
    (history,) = read_histories(tmp_path, [model]).values()
    assert history["train/loss"].tolist() == [0.5, 0.3, LOSS]


@pytest.mark.parametrize(
    "losses", [[0.5, LOSS], [0.5, LOSS, 0.26]], ids=["other epochs", "other loss"]
)
def test_history_of_another_training_is_left_out(
    tmp_path: Path, model: ComparedModel, losses: list[float]
) -> None:
    write(tmp_path, 0, losses)
    assert read_histories(tmp_path, [model]) == {}


def test_model_without_a_run_is_left_out(tmp_path: Path, model: ComparedModel) -> None:
    assert read_histories(tmp_path, [model]) == {}


@pytest.mark.parametrize("content", [b"", b"epoch\n\xff\n", b"a\n1,2\n1,2,3\n"])
def test_damaged_history_is_left_out_with_a_warning(
    tmp_path: Path, model: ComparedModel, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, 0, [0.5, 0.3, LOSS])
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert read_histories(tmp_path, [model]) == {}
    assert str(path) in caplog.text
