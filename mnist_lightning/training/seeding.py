"""Random numbers that do not depend on what happened before."""

from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer


class StepSeed(Callback):
    """Seeds torch before every training step by (seed, step, rank).

    Dropout then draws the same numbers whether or not the run was interrupted; Lightning's
    checkpoints hold no state of the random number generators.

    Args:
        seed: The seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Begin the step from a state of its own."""
        sequence = np.random.SeedSequence((self.seed, trainer.global_step, trainer.global_rank))
        torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> 1))
