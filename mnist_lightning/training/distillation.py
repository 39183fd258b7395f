"""A callback that lets a teacher network label the training images."""

from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from mnist_lightning.models.classifier import DigitClassifier


class Distillation(Callback):
    """Replaces the labels of each batch by a teacher's probabilities (Hinton et al. 2015).

    The teacher sees the images as they are distorted for the student. It belongs to the callback
    and not to the model, so that neither checkpoints nor averaged weights contain it.

    Args:
        teacher: uint8 ``(N, 1, 28, 28)`` to float32 logits ``(N, 10)``, in eval mode.
        temperature: Divides the teacher's logits. Above 1, more of the probability is on the
            digits that an image resembles.
    """

    def __init__(self, teacher: nn.Module, temperature: float) -> None:
        self._teacher = teacher
        self._temperature = temperature

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Move the teacher to the device of the training."""
        self._teacher.to(trainer.strategy.root_device)

    @torch.no_grad()
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Compute the soft labels of the batch."""
        images: Tensor = batch[0]
        assert isinstance(pl_module, DigitClassifier)
        with trainer.precision_plugin.forward_context():
            logits = self._teacher(images)
        pl_module.soft_labels = (logits.float() / self._temperature).softmax(dim=1)
