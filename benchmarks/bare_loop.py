"""A handwritten training loop for the CNN, to measure the overhead of the Trainer."""

import time
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

from mnist_lightning.cli import StudyCLI
from mnist_lightning.data.augmentation import Warp, distort
from mnist_lightning.data.datamodule import EVALUATION_BATCH_SIZE
from mnist_lightning.data.loader import Batch, BatchLoader
from mnist_lightning.models.classifier import decay_groups


@dataclass(frozen=True)
class Epoch:
    """The seconds of an epoch.

    Attributes:
        steps: Training steps.
        validation: Validation.
        end: Metrics, logging and checkpoints after the validation.
    """

    steps: float
    validation: float
    end: float

    @property
    def total(self) -> float:
        """Seconds of the whole epoch."""
        return self.steps + self.validation + self.end


class BareLoop:
    """The same training as a handwritten loop.

    Args:
        cli: The training, with its data set up. The network is copied.
    """

    def __init__(self, cli: StudyCLI) -> None:
        model, data = cli.model, cli.datamodule
        self.device = cli.trainer.strategy.root_device
        self.network = deepcopy(model.network).to(self.device)
        self.average = deepcopy(self.network).eval()
        self.decay = float(cli.config.ema.decay)
        self.bf16 = cli.trainer.precision == "bf16-mixed"
        train, val = (part.to(self.device) for part in (data.train, data.val))
        self.loader = BatchLoader(
            train, data.batch_size, seed=data.seed, augmentation=data.augmentation
        )
        self.validation = BatchLoader(val, EVALUATION_BATCH_SIZE)
        groups = decay_groups(self.network.parameters())
        rate, decay = model.learning_rate, model.weight_decay
        self.optimizer = torch.optim.AdamW(groups, lr=rate, weight_decay=decay, fused=True)
        steps = len(self.loader) * int(cli.config.trainer.max_epochs)
        self.schedule = OneCycleLR(self.optimizer, rate, total_steps=steps)
        self.smoothing = model.label_smoothing
        self.step = 0

    def epoch(self, number: int) -> Epoch:
        """Train and validate for one epoch.

        Args:
            number: Number of the epoch from 0, which determines the order and the distortions.
        """
        self.loader.set_epoch(number)
        start = time.perf_counter()
        self._train()
        trained = time.perf_counter()
        self._validate()
        return Epoch(trained - start, time.perf_counter() - trained, 0.0)

    def _train(self) -> None:
        self.network.train()
        weights, average = _weights(self.network), _weights(self.average)
        for batch in self.loader:
            images = self._distorted(batch)
            self.optimizer.zero_grad()
            with self._autocast():
                logits = self.network(images)
                loss = F.cross_entropy(logits, batch.labels, label_smoothing=self.smoothing)
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            decay = min(self.decay, (1 + self.step) / (10 + self.step)) if self.step else 0.0
            with torch.no_grad():
                torch._foreach_lerp_(average, weights, 1 - decay)
            self.step += 1

    def _distorted(self, batch: Batch) -> Tensor:
        if batch.warp is None:
            return batch.images
        affine, elastic = batch.warp
        elastic = None if elastic is None else elastic.to(self.device)
        look = None if batch.look is None else batch.look.to(self.device)
        return distort(batch.images, Warp(affine.to(self.device), elastic), look)

    @torch.no_grad()
    def _validate(self) -> tuple[float, float]:
        loss, right = 0.0, 0
        for batch in self.validation:
            with self._autocast():
                logits = self.average(batch.images)
                loss += F.cross_entropy(logits, batch.labels).item() * len(batch.labels)
            right += int((logits.argmax(1) == batch.labels).sum())
        n = len(self.validation.digits)
        return loss / n, right / n

    def _autocast(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)


def _weights(network: nn.Module) -> list[Tensor]:
    """Return the weights and batch statistics, without the batch counters."""
    return [value for value in network.state_dict().values() if value.is_floating_point()]
