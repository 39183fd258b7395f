import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from sklearn.metrics import f1_score
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

from mnist_lightning.data.augmentation import Augmentation
from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.data.digits import Digits
from mnist_lightning.errors import UserError
from mnist_lightning.models import CNN, CNNClassifier, DigitClassifier
from mnist_lightning.models.classifier import NonFiniteLossError

MakeTrainer = Callable[..., Trainer]
Weights = dict[str, Tensor]


def _classifier(**options: Any) -> CNNClassifier:
    torch.manual_seed(0)
    return CNNClassifier(**{"widths": [4, 8], "convs_per_stage": 1, **options})


def _weights(module: nn.Module) -> Weights:
    return {name: value.clone() for name, value in module.state_dict().items()}


def _equal(first: Weights, second: Weights) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def _logits(model: DigitClassifier, digits: Digits) -> Tensor:
    with torch.no_grad():
        logits: Tensor = model.eval()(digits.images)
    return logits


class Spy(Callback):
    """Records the weights and learning rates at the start of each step."""

    def __init__(self) -> None:
        self.weights: list[Weights] = []
        self.rates: list[list[float]] = []

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.weights.append(_weights(pl_module.network))  # type: ignore[arg-type]
        self.rates.append([group["lr"] for group in trainer.optimizers[0].param_groups])


class Poison(Callback):
    """Multiplies the logits of one step, counted from 1, by a value that is not finite."""

    def __init__(self, step: int, value: float) -> None:
        self.step, self.value = step, value

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step + 1 == self.step:
            head = pl_module.get_submodule("network.head")
            head.register_forward_hook(lambda module, args, output: output * self.value)


def test_training_learns_the_tiny_digits(
    tiny_data: MNISTDataModule, make_trainer: MakeTrainer
) -> None:
    model, trainer = _classifier(learning_rate=0.05), make_trainer(max_epochs=10)

    trainer.fit(model, tiny_data)
    (tested,) = trainer.test(model, tiny_data, verbose=False)

    assert tested["test/accuracy"] > 0.9
    # Far below ln 10 = 2.3, the loss of random guessing.
    assert tested["test/loss"] < 1.5


@pytest.mark.parametrize("clip", [None, 0.001])
def test_the_optimiser_is_fused_unless_gradients_are_clipped(
    tiny_data: MNISTDataModule, make_trainer: MakeTrainer, clip: float | None
) -> None:
    model = _classifier()
    trainer = make_trainer(max_epochs=1, precision="bf16-mixed", gradient_clip_val=clip)

    trainer.fit(model, tiny_data)

    (optimizer,) = trainer.optimizers
    assert [group["fused"] for group in optimizer.param_groups] == [clip is None] * 2


def test_hyperparameters_are_plain_and_complete() -> None:
    model = _classifier(dropout=0.25, learning_rate=0.02, weight_decay=0.1, label_smoothing=0.05)

    assert json.loads(json.dumps(dict(model.hparams))) == {
        "widths": [4, 8],
        "convs_per_stage": 1,
        "dropout": 0.25,
        "first_kernel": 3,
        "first_stride": 1,
        "contrast_normalisation": True,
        "teacher": None,
        "teacher_temperature": 1.0,
        "title": "Custom CNN",
        "learning_rate": 0.02,
        "weight_decay": 0.1,
        "label_smoothing": 0.05,
    }


def test_a_checkpoint_is_enough_to_rebuild_the_model(
    tiny_data: MNISTDataModule, make_trainer: MakeTrainer, tmp_path: Path
) -> None:
    saver = ModelCheckpoint(tmp_path / "checkpoints", filename="one")
    model = _classifier(dropout=0.25, learning_rate=0.02)
    make_trainer(saver).fit(model, tiny_data)
    path = Path(saver.best_model_path)

    loaded = CNNClassifier.load_from_checkpoint(path)

    assert torch.equal(_logits(loaded, tiny_data.test), _logits(model, tiny_data.test))
    assert loaded.learning_rate == 0.02
    assert loaded.get_submodule("network.dropout").p == 0.25
    content = torch.load(path, weights_only=True)
    assert _equal(content["state_dict"], _weights(model))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_training_before_the_weights_change(
    value: float, tiny_data: MNISTDataModule, make_trainer: MakeTrainer
) -> None:
    model, spy = _classifier(learning_rate=0.02), Spy()
    trainer = make_trainer(spy, Poison(step=9, value=value), max_epochs=3)

    with pytest.raises(NonFiniteLossError, match=r"at step 9 \(epoch 2\).*than 0.02") as caught:
        trainer.fit(model, tiny_data)

    assert isinstance(caught.value, UserError)
    assert "\n" not in str(caught.value)
    assert len(spy.weights) == 9
    before, after = spy.weights[-1], _weights(model.network)
    # The forward pass has updated the batch statistics; the parameters must be unchanged.
    learned = {name for name, _ in model.network.named_parameters()}
    assert all(torch.equal(before[name], after[name]) for name in learned)
    assert all(torch.isfinite(tensor).all() for tensor in after.values())


def test_scales_shifts_and_biases_have_no_weight_decay(
    tiny_data: MNISTDataModule, make_trainer: MakeTrainer
) -> None:
    model, trainer = _classifier(weight_decay=0.3), make_trainer(fast_dev_run=True)

    trainer.fit(model, tiny_data)

    (optimizer,) = trainer.optimizers
    assert isinstance(optimizer, torch.optim.AdamW)
    names = {id(parameter): name for name, parameter in model.network.named_parameters()}
    decay = {
        names[id(parameter)]: group["weight_decay"]
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(decay)
    assert decay.keys() == set(names.values())
    without = {name for name, value in decay.items() if value == 0}
    assert without == {
        name for name in decay if name.endswith("bias") or ".1." in name or ".5." in name
    }
    assert {value for name, value in decay.items() if name not in without} == {0.3}


def test_the_learning_rate_follows_one_cycle_over_all_steps(
    tiny_data: MNISTDataModule, make_trainer: MakeTrainer
) -> None:
    spy = Spy()
    make_trainer(spy, max_epochs=3).fit(_classifier(learning_rate=0.5), tiny_data)

    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))])
    schedule = OneCycleLR(optimizer, 0.5, total_steps=18)
    expected = []
    for _ in range(18):
        expected.append([optimizer.param_groups[0]["lr"]] * 2)
        optimizer.step()
        schedule.step()
    assert spy.rates == expected
    assert max(rate for rates in expected for rate in rates) == pytest.approx(0.5, rel=0.01)


def test_validation_counts_every_image_once_and_without_smoothing(
    tiny_data: MNISTDataModule, make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Batches of unequal size, so that a mean of batch means would be wrong.
    monkeypatch.setattr("mnist_lightning.data.datamodule.EVALUATION_BATCH_SIZE", 17)
    model, val = _classifier(label_smoothing=0.3), tiny_data.val

    trainer = make_trainer()
    trainer.validate(model, tiny_data, verbose=False)

    found = {name: value.item() for name, value in trainer.callback_metrics.items()}
    logits = _logits(model, val)
    assert found["val/loss"] == pytest.approx(F.cross_entropy(logits, val.labels).item(), rel=1e-5)
    right = (logits.argmax(1) == val.labels).sum().item()
    assert found["val/accuracy"] == pytest.approx(right / 50)


def test_testing_reports_accuracy_loss_and_macro_f1(
    tiny_data: MNISTDataModule, make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnist_lightning.data.datamodule.EVALUATION_BATCH_SIZE", 33)
    model, test = _classifier(), tiny_data.test

    (found,) = make_trainer().test(model, tiny_data, verbose=False)

    logits = _logits(model, test)
    guesses = logits.argmax(1)
    assert found == {
        "test/loss": pytest.approx(F.cross_entropy(logits, test.labels).item(), rel=1e-5),
        "test/accuracy": pytest.approx((guesses == test.labels).float().mean().item()),
        "test/macro_f1": pytest.approx(
            f1_score(test.labels, guesses, average="macro", zero_division=0), abs=1e-6
        ),
    }


def test_the_training_loss_is_smoothed_and_averaged_over_all_images_of_the_epoch(
    tiny_data: MNISTDataModule, make_trainer: MakeTrainer
) -> None:
    losses: list[tuple[float, int]] = []

    class Losses(Callback):
        def on_train_batch_end(
            self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, index: int
        ) -> None:
            losses.append((outputs["loss"].item(), len(batch[1])))

    trainer = make_trainer(Losses())
    trainer.fit(_classifier(label_smoothing=0.1), tiny_data)

    assert sum(n for _, n in losses) == 350
    mean = sum(loss * n for loss, n in losses) / 350
    assert trainer.callback_metrics["train/loss"].item() == pytest.approx(mean, rel=1e-5)


def test_label_smoothing_mixes_the_targets_with_a_uniform_distribution(tiny_digits: Digits) -> None:
    batch = (tiny_digits.images, tiny_digits.labels)
    model = _classifier(label_smoothing=0.2).eval()

    loss = model.training_step(batch, 0)

    logits = _logits(model, tiny_digits)
    uniform = -F.log_softmax(logits, dim=1).mean()
    expected = 0.8 * F.cross_entropy(logits, tiny_digits.labels) + 0.2 * uniform
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_convolutions_are_laid_out_channels_last() -> None:
    weight = _classifier(widths=[4, 8]).get_parameter("network.features.4.weight")

    assert weight.shape == (8, 4, 3, 3)
    assert weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [
        *(("learning_rate", rate, "above 0") for rate in (0.0, -1.0, math.nan, math.inf)),
        *(("weight_decay", decay, "at least 0") for decay in (-1.0, math.nan, math.inf)),
        *(("teacher_temperature", one, "above 0") for one in (0.0, math.nan, math.inf)),
    ],
)
def test_a_number_out_of_range_is_refused(option: str, value: float, rule: str) -> None:
    with pytest.raises(UserError, match=f"--model.{option} must be {rule}, not {value}"):
        _classifier(**{option: value})


def test_labels_that_a_teacher_replaces_are_not_smoothed() -> None:
    model = _classifier(teacher="custom_cnn", label_smoothing=0.1)

    assert model.label_smoothing == model.hparams["label_smoothing"] == 0


@pytest.mark.parametrize(
    ("option", "theirs", "mine"),
    [("first_stride", 2, 1), ("contrast_normalisation", False, True)],
)
def test_a_checkpoint_that_computes_something_else_is_refused(
    option: str, theirs: object, mine: object
) -> None:
    checkpoint = {"hyper_parameters": dict(_classifier(**{option: theirs}).hparams)}

    _classifier(**{option: theirs}).check_resumable(checkpoint)
    with pytest.raises(UserError, match=f"training with --model.{option} {str(theirs).lower()}"):
        _classifier(**{option: mine}).check_resumable(checkpoint)


def test_the_base_class_trains_any_network(
    tiny_data: MNISTDataModule, make_trainer: MakeTrainer
) -> None:
    tiny_data.augmentation = Augmentation(elastic=0.6)
    model = DigitClassifier(CNN((4,), convs_per_stage=1))
    before = _weights(model.network)

    make_trainer(fast_dev_run=True).fit(model, tiny_data)

    assert not _equal(before, _weights(model.network))
