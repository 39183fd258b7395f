"""A callback that seeds each training step, so that a resumed run draws the same numbers."""

from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer

from mnist_lightning.data.random_streams import stream_seed


class StepSeed(Callback):
    """Seeds torch before every training step from (seed, step, rank).

    Dropout then draws the same numbers whether or not the run was interrupted; Lightning's
    checkpoints do not contain the state of the random number generators.

    Args:
        seed: The seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed the CPU generator and that of the training device."""
        seed = stream_seed(self.seed, trainer.global_step, trainer.global_rank)
        # Not torch.manual_seed: it also records the seed, with a stack trace, for every accelerator
        # that is not initialised yet, which takes longer than all other callbacks together.
        torch.default_generator.manual_seed(seed)
        device = trainer.strategy.root_device
        if device.type != "cpu":
            torch.get_device_module(device).manual_seed(seed)
