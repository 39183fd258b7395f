"""An exponential moving average of the weights, safe to interrupt and to test with."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor


class WeightAverage(WeightAveraging):
    """Lightning's EMA of weights and batch statistics, used for validation, checkpoints and tests.

    Two things are mended. Loading a checkpoint for a test after training would put the weights of
    the last step in place of the averaged ones. And an exception during validation would leave the
    two sets of weights exchanged.

    Args:
        decay: Share of the old average that each step keeps, from 0 (no averaging) to below 1. The
            first steps keep less, ``(1 + step) / (10 + step)``, so that the random weights of the
            beginning are soon forgotten (as in TensorFlow's ExponentialMovingAverage).
    """

    def __init__(self, decay: float = 0.998) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"--ema.decay must be at least 0 and below 1, not {decay}")
        super().__init__(multi_avg_fn=self._average)
        self.decay = decay
        self._step = 0
        self._exchanged = False

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """Update after every step, and remember which one it is."""
        if step_idx is None:
            return False
        self._step = step_idx
        return True

    @torch.no_grad()
    def _average(
        self, averaged: Sequence[Tensor], current: Sequence[Tensor], num_averaged: Tensor
    ) -> None:
        # From the step and not from num_averaged, which lies on the device and would be waited for.
        decay = min(self.decay, (1 + self._step) / (10 + self._step))
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(list(averaged), list(current), 1 - decay)
        else:
            torch._foreach_copy_(list(averaged), list(current))

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
