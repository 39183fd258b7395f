"""An exponential moving average of the weights, safe to interrupt and to test with."""

from itertools import chain
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn


class WeightAverage(WeightAveraging):
    """Lightning's EMA of weights and batch statistics, used for validation, checkpoints and tests.

    Four things are mended. Loading a checkpoint for a test after training would put the weights of
    the last step in place of the averaged ones. An exception during validation would leave the two
    sets of weights exchanged. The average would stay on the CPU where the weights move to a GPU.
    And looking for all weights anew in each step takes longer than averaging them.

    Args:
        decay: Share of the old average that each step keeps, from 0 (no averaging) to below 1. The
            first steps keep less, ``(1 + step) / (10 + step)``, so that the random weights of the
            beginning are soon forgotten (as in TensorFlow's ExponentialMovingAverage).
    """

    def __init__(self, decay: float = 0.998) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"--ema.decay must be at least 0 and below 1, not {decay}")
        super().__init__()
        self.decay = decay
        self._exchanged = False
        self._steps_averaged = 0
        self._weights: tuple[list[Tensor], list[Tensor]] = ([], [])
        self._counters: tuple[list[Tensor], list[Tensor]] = ([], [])

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make the average; Lightning calls this before it moves the weights to their device."""
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None:
            self._average_model.to(trainer.strategy.root_device)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the tensors to average, and those to copy, once for all steps."""
        assert self._average_model is not None
        self._steps_averaged = int(self._average_model.n_averaged)
        averaged, current = _tensors(self._average_model.module), _tensors(pl_module)
        self._weights, self._counters = (
            (
                [tensor for tensor in averaged if tensor.is_floating_point() == floating],
                [tensor for tensor in current if tensor.is_floating_point() == floating],
            )
            for floating in (True, False)
        )

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Update the average, if this batch has ended with a step of the optimiser."""
        if trainer.global_step == self._latest_update_step:
            return
        assert self._average_model is not None
        self._latest_update_step = trainer.global_step
        step = trainer.global_step - 1
        # The average begins with the weights after the first step.
        decay = min(self.decay, (1 + step) / (10 + step)) if self._steps_averaged else 0.0
        torch._foreach_lerp_(*self._weights, 1 - decay)
        if self._counters[0]:
            torch._foreach_copy_(*self._counters)
        self._steps_averaged += 1
        self._average_model.n_averaged.fill_(self._steps_averaged)

    def _swap_models(self, pl_module: LightningModule) -> None:
        super()._swap_models(pl_module)
        self._exchanged = not self._exchanged

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Give each model its own weights back."""
        if self._exchanged:
            self._swap_models(pl_module)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restore both sets of weights to go on training; the averaged ones are there already."""
        if trainer.state.fn == TrainerFn.FITTING:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)


def _tensors(module: nn.Module) -> list[Tensor]:
    """The weights and buffers, in an order that copies of a module share."""
    return [tensor.detach() for tensor in chain(module.parameters(), module.buffers())]
