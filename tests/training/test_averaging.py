from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.data.digits import Digits
from mnist_lightning.errors import UserError
from mnist_lightning.models import CNNClassifier
from mnist_lightning.training.averaging import WeightAverage
from mnist_lightning.training.run_checkpoint import RunCheckpoint
from mnist_lightning.training.run_logger import RunLogger

MakeTrainer = Callable[..., Trainer]
Weights = dict[str, Tensor]


@pytest.fixture
def model() -> CNNClassifier:
    torch.manual_seed(0)
    return CNNClassifier(widths=[4], convs_per_stage=1, learning_rate=0.1)


@pytest.fixture
def saver(tmp_path: Path) -> ModelCheckpoint:
    return ModelCheckpoint(tmp_path / "saved", save_last=True, save_on_exception=True)


def _weights(module: LightningModule) -> Weights:
    """Weights and batch statistics."""
    return {
        name: value.clone()
        for name, value in module.state_dict().items()
        if name.startswith("network.")
    }


def _part(checkpoint: dict[str, Any], key: str) -> Weights:
    return {name: value for name, value in checkpoint[key].items() if name.startswith("network.")}


def _close(first: Weights, second: Weights) -> bool:
    assert first.keys() == second.keys()
    return all(torch.allclose(first[name], second[name], atol=1e-6) for name in first)


def _load(saver: ModelCheckpoint) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(saver.last_model_path, weights_only=True)
    return checkpoint


def _average_by_hand(steps: list[Weights], decay: float) -> Weights:
    averaged = dict(steps[0])
    for step, current in enumerate(steps[1:], start=1):
        keep = min(decay, (1 + step) / (10 + step))
        for name, value in current.items():
            if value.is_floating_point():
                averaged[name] = keep * averaged[name] + (1 - keep) * value
            else:
                averaged[name] = value
    return averaged


class Spy(Callback):
    """Remembers the weights after each step."""

    def __init__(self) -> None:
        self.steps: list[Weights] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.steps.append(_weights(pl_module))


class FailingValidation(Callback):
    """Raises an error during the validation of the second epoch."""

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        if trainer.current_epoch == 1:
            raise RuntimeError("validation failed")


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
def test_the_average_follows_its_formula_including_the_warm_up(
    decay: float,
    model: CNNClassifier,
    saver: ModelCheckpoint,
    tiny_data: MNISTDataModule,
    make_trainer: MakeTrainer,
) -> None:
    spy = Spy()
    trainer = make_trainer(spy, WeightAverage(decay), saver, max_epochs=2)

    trainer.fit(model, tiny_data)

    assert len(spy.steps) == 12
    checkpoint = _load(saver)
    expected = _average_by_hand(spy.steps, decay)
    assert _close(_part(checkpoint, "state_dict"), expected)
    assert _close(_part(checkpoint, "current_model_state"), spy.steps[-1])
    assert _close(_weights(model), expected)
    assert _close(expected, spy.steps[-1]) == (decay == 0)


def test_validation_uses_the_averaged_weights_and_training_continues_with_its_own(
    model: CNNClassifier, tiny_data: MNISTDataModule, make_trainer: MakeTrainer
) -> None:
    validated: list[Weights] = []
    resumed: list[Weights] = []

    class Observer(Callback):
        def on_validation_batch_end(
            self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
        ) -> None:
            validated.append(_weights(pl_module))

        def on_train_batch_start(
            self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
        ) -> None:
            resumed.append(_weights(pl_module))

    spy = Spy()
    make_trainer(spy, WeightAverage(0.9), Observer(), max_epochs=2).fit(model, tiny_data)

    assert len(validated) == 2
    assert _close(validated[0], _average_by_hand(spy.steps[:6], 0.9))
    assert _close(validated[1], _average_by_hand(spy.steps, 0.9))
    # Step n starts with the weights after step n - 1, across the validation as well.
    assert all(map(_close, resumed[1:], spy.steps[:-1]))


def test_a_test_of_a_checkpoint_after_training_uses_its_averaged_weights(
    model: CNNClassifier,
    saver: ModelCheckpoint,
    tiny_data: MNISTDataModule,
    make_trainer: MakeTrainer,
) -> None:
    trainer = make_trainer(WeightAverage(0.9), saver, max_epochs=2)
    trainer.fit(model, tiny_data)
    checkpoint = _load(saver)
    averaged, current = (_part(checkpoint, key) for key in ("state_dict", "current_model_state"))
    assert not _close(averaged, current)

    (tested,) = trainer.test(
        model, tiny_data, ckpt_path=saver.last_model_path, verbose=False, weights_only=True
    )

    assert _close(_weights(model), averaged)
    by_hand = CNNClassifier.load_from_checkpoint(saver.last_model_path).eval()
    assert _close(_weights(by_hand), averaged)
    assert tested["test/accuracy"] == pytest.approx(_accuracy(by_hand, tiny_data.test))


def test_a_finished_training_that_is_resumed_leaves_the_averaged_weights_in_the_model(
    model: CNNClassifier,
    tiny_data: MNISTDataModule,
    make_trainer: MakeTrainer,
    tmp_path: Path,
) -> None:
    logger = RunLogger(tmp_path, "cnn")
    make_trainer(WeightAverage(0.9), RunCheckpoint(), logger=logger).fit(model, tiny_data)
    averaged = _weights(model)
    again = CNNClassifier(widths=[4], convs_per_stage=1, learning_rate=0.1)
    (path,) = tmp_path.rglob("last.ckpt")

    make_trainer(WeightAverage(0.9)).fit(again, tiny_data, ckpt_path=path, weights_only=True)

    assert all(torch.equal(averaged[name], value) for name, value in _weights(again).items())


def _accuracy(model: CNNClassifier, digits: Digits) -> float:
    with torch.no_grad():
        right = model(digits.images).argmax(1) == digits.labels
    return int(right.sum()) / len(digits)


def test_an_exception_during_validation_swaps_the_weights_back(
    model: CNNClassifier,
    saver: ModelCheckpoint,
    tiny_data: MNISTDataModule,
    make_trainer: MakeTrainer,
) -> None:
    spy = Spy()
    trainer = make_trainer(
        spy,
        WeightAverage(0.9),
        FailingValidation(),
        saver,
        max_epochs=3,
    )

    with pytest.raises(RuntimeError, match="validation failed"):
        trainer.fit(model, tiny_data)

    assert len(spy.steps) == 12
    assert _close(_weights(model), spy.steps[-1])
    checkpoint = _load(saver)
    assert checkpoint["global_step"] == 12
    assert _close(_part(checkpoint, "current_model_state"), spy.steps[-1])
    assert _close(_part(checkpoint, "state_dict"), _average_by_hand(spy.steps, 0.9))


def test_with_accumulated_gradients_the_average_is_updated_once_per_step(
    model: CNNClassifier, tiny_data: MNISTDataModule, make_trainer: MakeTrainer
) -> None:
    spy = Spy()

    make_trainer(spy, WeightAverage(0.9), accumulate_grad_batches=2).fit(model, tiny_data)

    # Batch statistics change with each batch, weights and average with every second one.
    expected = _average_by_hand(spy.steps[1::2], 0.9)
    assert len(spy.steps) == 6
    assert _close(_weights(model), expected)


def test_the_average_is_on_the_device_that_the_weights_will_be_moved_to(
    model: CNNClassifier,
) -> None:
    strategy = SimpleNamespace(root_device=torch.device("meta"))
    trainer: Any = SimpleNamespace(strategy=strategy)
    average = WeightAverage(0.9)

    average.setup(trainer, model, "fit")

    assert average._average_model is not None
    assert {value.device.type for value in average._average_model.state_dict().values()} == {"meta"}


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_an_impossible_decay_is_refused(decay: float) -> None:
    with pytest.raises(UserError, match=rf"ema\.decay must be at least 0 and below 1, not {decay}"):
        WeightAverage(decay)
