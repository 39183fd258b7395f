"""A callback that keeps an exponential moving average (EMA) of the weights."""

from itertools import chain
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn

from mnist_lightning.errors import check_range


class WeightAverage(WeightAveraging):
    """Averages weights and batch statistics; validation, checkpoints and tests use the average.

    It fixes five problems of Lightning's ``WeightAveraging``: loading a checkpoint for a test after
    training replaces the averaged weights by those of the last step; resuming a finished training
    leaves those of the last step in the model; an exception during validation leaves the two sets
    of weights swapped; the average stays on the CPU when the weights move to a GPU; and collecting
    all tensors again in each step takes longer than averaging them.

    Args:
        decay: Share of the old average that each step keeps, from 0 (no averaging) to below 1. The
            first steps keep less, ``(1 + step) / (10 + step)``, so that the random initial weights
            are soon forgotten (as in TensorFlow's ExponentialMovingAverage).

    Raises:
        UserError: The decay is out of range.
    """

    def __init__(self, decay: float = 0.998) -> None:
        check_range("--ema.decay", decay, 0, 1, below=True)
        super().__init__()
        self.decay = decay
        self._swapped = False
        self._steps_averaged = 0
        self._weights: tuple[list[Tensor], list[Tensor]] = ([], [])
        self._counters: tuple[list[Tensor], list[Tensor]] = ([], [])

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Create the average on the device that Lightning will move the weights to."""
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None:
            self._average_model.to(trainer.strategy.root_device)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Collect the tensors to average and those to copy, once for all steps."""
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
        """Update the average if the optimiser has taken a step since the last update."""
        if trainer.global_step == self._latest_update_step:
            return
        assert self._average_model is not None
        self._latest_update_step = trainer.global_step
        step = trainer.global_step - 1
        # The average starts as a copy of the weights after the first step.
        decay = min(self.decay, (1 + step) / (10 + step)) if self._steps_averaged else 0.0
        torch._foreach_lerp_(*self._weights, 1 - decay)
        if self._counters[0]:
            torch._foreach_copy_(*self._counters)
        self._steps_averaged += 1
        self._average_model.n_averaged.fill_(self._steps_averaged)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the average in the model, also if a finished training was resumed."""
        self._copy_average_to_current(pl_module)

    def _swap_models(self, pl_module: LightningModule) -> None:
        super()._swap_models(pl_module)
        self._swapped = not self._swapped

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Swap the weights back if a validation was interrupted."""
        if self._swapped:
            self._swap_models(pl_module)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restore both sets of weights for training; a test needs only the averaged ones."""
        if trainer.state.fn == TrainerFn.FITTING:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)


def _tensors(module: nn.Module) -> list[Tensor]:
    """Return weights and buffers, in an order that copies of a module share."""
    return [tensor.detach() for tensor in chain(module.parameters(), module.buffers())]
