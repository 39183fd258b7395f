"""Train the parts of a network one after the other, each from its own stage on."""

from collections.abc import Iterator, Sequence
from typing import Any

from lightning import Callback, LightningModule, Trainer
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from mnist_lightning.errors import UserError
from mnist_lightning.models.classifier import DigitClassifier, decay_groups
from mnist_lightning.models.stages import Stage, StagedRate, stage_of


class StagedClassifier(DigitClassifier):
    """A classifier whose network is trained in stages; what is in no stage stays as it is."""

    #: The stages in the order in which they begin; the first begins with the training.
    stages: Sequence[Stage] = (Stage(),)
    #: Share of the training in which the learning rate of a stage rises, 0 to below 1.
    warmup: float = 0.0

    def configure_callbacks(self) -> list[Callback]:
        """Freeze what has not begun to learn, unless everything learns from the first step."""
        whole = list(self.stages) == [Stage()]
        return [] if whole else [StagedUnfreezing(self.network, self.stages)]

    def learning_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the parameters that are trained in some stage."""
        for name, parameter in self.network.named_parameters():
            if stage_of(name, self.stages) is not None:
                yield parameter

    def _parameter_groups(self) -> list[dict[str, Any]]:
        groups: list[dict[str, Any]] = []
        for stage in self.stages:
            named = self.network.named_parameters()
            mine = [p for name, p in named if stage_of(name, self.stages) is stage]
            groups += decay_groups(mine, stage=stage.part, lr=self.learning_rate * stage.rate)
        return groups

    def _schedule(self, optimizer: Optimizer, total_steps: int) -> LRScheduler:
        """A warm-up and a cosine for each stage."""
        return StagedRate(optimizer, self.stages, total_steps, round(self.warmup * total_steps))


class StagedUnfreezing(Callback):
    """Keeps every part of a network frozen until its stage begins, or for ever if it has none.

    Frozen means that its parameters have no gradients and its modules are in eval mode, so that
    batch normalisation neither uses nor updates the statistics of a batch. Which parts are frozen
    depends on nothing but the step, and is put right before each one: whatever Lightning or
    another callback has done to the modes, and wherever an interrupted training goes on.

    The optimiser is to hold all parameters from the beginning: it skips those without gradients.

    Args:
        network: The network that is trained.
        stages: In the order in which they begin; the first begins with the training.
    """

    def __init__(self, network: nn.Module, stages: Sequence[Stage]) -> None:
        self._stages = stages
        self._parameters = [(p, stage_of(n, stages)) for n, p in network.named_parameters()]
        self._modules = [(m, stage_of(n, stages)) for n, m in network.named_modules() if n]
        self._is_staged = any(stage.start > 0 for stage in stages)
        self._total_steps = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Freeze what never learns, before a distributed strategy looks at what does.

        Raises:
            UserError: Several processes would have to agree on gradients that come and go.
        """
        if stage != "fit":
            return
        if self._is_staged and trainer.world_size > 1:
            raise UserError(
                "--model.strategy finetune runs on one device, since gradients come and go: "
                "use --trainer.devices 1"
            )
        for parameter, begins in self._parameters:
            parameter.requires_grad_(begins is not None)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find out how long the training is."""
        self._total_steps = int(trainer.estimated_stepping_batches)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Freeze what has not begun and let the rest learn."""
        step, total = trainer.global_step, self._total_steps
        begun = {stage for stage in self._stages if step >= stage.first_step(total)}
        for parameter, stage in self._parameters:
            parameter.requires_grad_(stage in begun)
        for module, stage in self._modules:
            # Not module.train(mode), which would change the modules within it too. Setting an
            # attribute of a module is slow, and nearly always it is right already.
            if module.training != (stage in begun):
                module.training = stage in begun
