"""Staged unfreezing on a tiny network: what is trained when, and resuming."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.errors import UserError
from mnist_lightning.models.staged_classifier import StagedClassifier, StagedUnfreezing
from mnist_lightning.models.stages import Stage, StagedRate, stage_of
from mnist_lightning.training.averaging import WeightAverage
from mnist_lightning.training.step_seed import StepSeed

MakeTrainer = Callable[..., Trainer]
Weights = dict[str, Tensor]

# Three epochs of six steps: two stages start in the middle of the first and the second epoch.
EPOCHS, STEPS = 3, 18
STAGES = (Stage("head"), Stage("backbone.last", 4 / 18, 0.5), Stage("backbone", 9 / 18, 0.1))
FIRST_STEPS = {"head": 0, "backbone.last": 4, "backbone": 9}


class Block(nn.Sequential):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__(
            nn.Conv2d(channels, width, 3, stride=4), nn.BatchNorm2d(width), nn.Dropout(0.3)
        )


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.ModuleDict({"first": Block(1, 4), "last": Block(4, 8)})
        self.head = nn.Linear(8, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = self.backbone["first"](images.float() / 255)
        logits: Tensor = self.head(self.backbone["last"](x).mean(dim=(2, 3)))
        return logits


class Staged(StagedClassifier):
    def __init__(self, stages: tuple[Stage, ...] = STAGES) -> None:
        torch.manual_seed(0)
        super().__init__(Network(), learning_rate=0.05, weight_decay=0.3)
        self.stages = stages

    def _schedule(self, optimizer: Optimizer, total_steps: int) -> LRScheduler:
        return StagedRate(optimizer, self.stages, total_steps, warmup_steps=2)


class Recorder(Checkpoint):
    """Records the state at the start of every step.

    It is a Checkpoint, because Lightning calls those after all other callbacks.
    """

    def __init__(self) -> None:
        self.weights: list[Weights] = []
        self.rates: list[list[float]] = []
        self.training: list[set[str]] = []

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        network = pl_module.get_submodule("network")
        self.weights.append(_weights(network))
        self.rates.append([group["lr"] for group in trainer.optimizers[0].param_groups[::2]])
        self.training.append({name for name, part in network.named_modules() if part.training})


class SaveAt(Callback):
    """Saves a checkpoint between two steps."""

    def __init__(self, folder: Path, steps: set[int]) -> None:
        self.folder, self.steps = folder, steps

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        if trainer.global_step in self.steps:
            trainer.save_checkpoint(self.folder / f"{trainer.global_step}.ckpt")


class TrainModeEverywhere(Callback):
    """Puts everything into training mode, as other callbacks may do."""

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        pl_module.train()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        pl_module.train()


def _weights(module: nn.Module) -> Weights:
    return {name: value.clone() for name, value in module.state_dict().items()}


def _part(name: str) -> str:
    stage = stage_of(name, STAGES)
    assert stage is not None
    return stage.part


def _callbacks(*more: Callback) -> list[Callback]:
    return [StepSeed(0), *more]


@pytest.fixture
def recorder(make_trainer: MakeTrainer, tiny_data: MNISTDataModule) -> Recorder:
    model, recorder = Staged(), Recorder()
    callbacks = _callbacks(TrainModeEverywhere(), recorder)
    make_trainer(*callbacks, max_epochs=EPOCHS).fit(model, tiny_data)
    assert len(recorder.weights) == STEPS
    recorder.weights.append(_weights(model.network))
    return recorder


def test_a_part_changes_only_from_the_first_step_of_its_stage_on(
    recorder: Recorder,
) -> None:
    for name in recorder.weights[0]:
        first = FIRST_STEPS[_part(name)]
        changed = [
            not torch.equal(recorder.weights[step][name], recorder.weights[step + 1][name])
            for step in range(STEPS)
        ]
        # Weights and batch statistics alike; frozen weights must not decay either.
        assert changed == [step >= first for step in range(STEPS)], name


def test_frozen_modules_are_in_eval_mode_in_every_step_despite_other_callbacks(
    recorder: Recorder,
) -> None:
    names = {name for name, _ in Network().named_modules() if name}
    for step, training in enumerate(recorder.training):
        assert training - {""} == {name for name in names if step >= FIRST_STEPS[_part(name)]}


def test_each_part_has_its_own_learning_rate_with_a_warm_up(recorder: Recorder) -> None:
    for step, rates in enumerate(recorder.rates):
        assert rates == pytest.approx(
            [0.05 * stage.rate * stage.rate_factor(step, STEPS, 2) for stage in STAGES]
        )


def test_the_optimiser_holds_every_parameter_exactly_once(
    make_trainer: MakeTrainer, tiny_data: MNISTDataModule
) -> None:
    model = Staged()
    trainer = make_trainer(*_callbacks(), fast_dev_run=True)
    trainer.fit(model, tiny_data)
    held = [id(p) for group in trainer.optimizers[0].param_groups for p in group["params"]]
    assert sorted(held) == sorted(map(id, model.network.parameters()))


@pytest.mark.parametrize("step", [2, 6, 7, 11, 12, 15])
def test_resuming_in_any_stage_gives_bit_identical_weights(
    step: int, make_trainer: MakeTrainer, tiny_data: MNISTDataModule, tmp_path: Path
) -> None:
    whole, resumed = Staged(), Staged()
    saver = SaveAt(tmp_path, {step})
    callbacks = _callbacks(WeightAverage(0.9), saver)
    make_trainer(*callbacks, max_epochs=EPOCHS).fit(whole, tiny_data)

    recorder = Recorder()
    trainer = make_trainer(*_callbacks(WeightAverage(0.9), recorder), max_epochs=EPOCHS)
    trainer.fit(resumed, tiny_data, ckpt_path=tmp_path / f"{step}.ckpt", weights_only=True)

    assert len(recorder.weights) == STEPS - step
    expected, found = whole.state_dict(), resumed.state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_the_average_of_a_frozen_part_equals_the_part(
    make_trainer: MakeTrainer, tiny_data: MNISTDataModule
) -> None:
    model = Staged(STAGES[:2])  # the first block stays frozen
    before = _weights(model.network)
    callbacks = _callbacks(WeightAverage(0.9))
    make_trainer(*callbacks, max_epochs=2).fit(model, tiny_data)
    for name, value in _weights(model.network).items():
        assert torch.equal(value, before[name]) == name.startswith("backbone.first"), name


def test_parts_without_a_stage_need_no_gradient_and_are_in_no_group(
    make_trainer: MakeTrainer, tiny_data: MNISTDataModule
) -> None:
    model = Staged(STAGES[:1])
    trainer = make_trainer(*_callbacks(), fast_dev_run=True)
    trainer.fit(model, tiny_data)
    head = {"head.weight", "head.bias"}
    assert {n for n, p in model.network.named_parameters() if p.requires_grad} == head
    groups = trainer.optimizers[0].param_groups
    assert {id(p) for g in groups for p in g["params"]} == set(
        map(id, model.network.head.parameters())
    )
    assert [p.numel() for p in model.learning_parameters()] == [80, 10]


def test_several_processes_are_refused_if_parts_are_unfrozen_later() -> None:
    class TwoProcesses:
        world_size = 2

    model = Staged()
    callback = StagedUnfreezing(model.network, model.stages)
    with pytest.raises(UserError, match=r"use --trainer\.devices 1"):
        callback.setup(TwoProcesses(), model, "fit")  # type: ignore[arg-type]
    one_stage = StagedUnfreezing(model.network, STAGES[:1])
    one_stage.setup(TwoProcesses(), model, "fit")  # type: ignore[arg-type]
