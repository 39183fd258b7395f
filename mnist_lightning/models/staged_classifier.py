"""A classifier that unfreezes the parts of its network in stages, and the callback that does it."""

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
    """A classifier whose network is trained in stages; parts outside all stages stay frozen."""

    #: The stages in starting order; the first starts with the training.
    stages: Sequence[Stage] = (Stage(),)
    #: Share of the training during which the learning rate of a stage rises, 0 to below 1.
    warmup: float = 0.0

    def configure_callbacks(self) -> list[Callback]:
        """Return the unfreezing callback, unless everything is trained from the first step."""
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
        """Return a schedule with a warm-up and a cosine for each stage."""
        return StagedRate(optimizer, self.stages, total_steps, round(self.warmup * total_steps))


class StagedUnfreezing(Callback):
    """Keeps each part of a network frozen until its stage starts, or forever if it has none.

    The parameters of a frozen part need no gradients and its modules are in eval mode, so that
    batch normalisation neither uses nor updates batch statistics. The frozen parts depend on the
    step alone and are set before each one, so that neither the modes that Lightning or another
    callback sets nor the step at which a training is resumed matter.

    The optimiser must hold all parameters from the start; it skips those without gradients.

    Args:
        network: The network to train.
        stages: The stages in starting order; the first starts with the training.
    """

    def __init__(self, network: nn.Module, stages: Sequence[Stage]) -> None:
        self._stages = stages
        self._parameters = [(p, stage_of(n, stages)) for n, p in network.named_parameters()]
        self._modules = [(m, stage_of(n, stages)) for n, m in network.named_modules() if n]
        self._is_staged = any(stage.start > 0 for stage in stages)
        self._total_steps = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Freeze the parts without a stage, before a distributed strategy collects gradients.

        Raises:
            UserError: Parts would be unfrozen during a training in several processes.
        """
        if stage != "fit":
            return
        if self._is_staged and trainer.world_size > 1:
            raise UserError(
                "--model.strategy finetune trains on one device, because DistributedDataParallel "
                "cannot unfreeze parameters: use --trainer.devices 1"
            )
        for parameter, own_stage in self._parameters:
            parameter.requires_grad_(own_stage is not None)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Store the length of the training."""
        self._total_steps = int(trainer.estimated_stepping_batches)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Freeze the parts whose stage has not started and unfreeze the others."""
        step, total = trainer.global_step, self._total_steps
        started = {stage for stage in self._stages if step >= stage.first_step(total)}
        for parameter, stage in self._parameters:
            parameter.requires_grad_(stage in started)
        for module, stage in self._modules:
            # Not module.train(mode), which changes all submodules. Setting an attribute of a module
            # is slow, and it is nearly always right already.
            if module.training != (stage in started):
                module.training = stage in started
