"""The LightningModule that trains any network of the study: loss, metrics, optimiser, schedule."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from mnist_lightning.data.digits import CLASSES
from mnist_lightning.errors import UserError, check_range
from mnist_lightning.records.weights_origin import RANDOM_WEIGHTS, WeightsOrigin

#: Hyperparameters that change what a network computes and not the shapes of its weights.
COMPUTATION = ("contrast_normalisation", "first_stride", "image_size")


class NonFiniteLossError(UserError):
    """The loss of a training step, or a weight after it, is NaN or infinite."""


class DigitClassifier(LightningModule):
    """Trains a network with cross-entropy, AdamW and a one-cycle learning rate.

    Subclasses build the network from plain numbers and call ``save_hyperparameters``, so that
    ``load_from_checkpoint`` needs nothing but the checkpoint.

    Args:
        network: Maps uint8 ``(N, 1, 28, 28)`` to float32 logits ``(N, 10)``.
        learning_rate: Peak of the one-cycle schedule (Smith and Topin, 2018).
        weight_decay: Decoupled weight decay of AdamW (Loshchilov and Hutter, 2019).
        label_smoothing: Probability mass spread over all classes in the training loss.

    Raises:
        UserError: A number is out of range.
    """

    #: The model's name in figures and tables.
    title: str
    #: Description of the initial weights, for records and figures.
    weights: str = RANDOM_WEIGHTS
    #: The file of the initial weights; None for random ones.
    weights_origin: WeightsOrigin | None = None
    #: Computes the inputs to train on from all images once, before training; None to train on the
    #: images. Takes uint8 ``(N, 1, 28, 28)`` and a title for messages, returns N rows.
    precompute: Callable[[Tensor, str], Tensor] | None = None
    #: Number of distorted copies of the training images to precompute in addition to the originals.
    augmented_passes: int = 0
    #: A teacher's probabilities of the current batch, ``(N, 10)``, to train on instead of labels.
    soft_labels: Tensor | None = None

    def __init__(
        self,
        network: nn.Module,
        learning_rate: float = 1e-2,
        weight_decay: float = 1e-2,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 < learning_rate < math.inf:
            raise UserError(f"--model.learning_rate must be above 0, not {learning_rate}")
        if not 0 <= weight_decay < math.inf:
            raise UserError(f"--model.weight_decay must be at least 0, not {weight_decay}")
        check_range("--model.label_smoothing", label_smoothing, 0, 1, below=True)
        self.network = network.to(memory_format=torch.channels_last)
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        accuracy = MulticlassAccuracy(CLASSES, average="micro", validate_args=False)
        metrics = MetricCollection({"accuracy": accuracy})
        self.train_loss, self.val_loss, self.test_loss = (MeanMetric() for _ in range(3))
        self.train_metrics = metrics.clone(prefix="train/")
        self.val_metrics = metrics.clone(prefix="val/")
        self.test_metrics = metrics.clone(prefix="test/")
        self.test_metrics.add_metrics({"macro_f1": MulticlassF1Score(CLASSES)})
        # Saved in checkpoints, so that an epoch that is resumed halfway reports all of its images.
        self.train_loss.persistent(True)
        self.train_metrics.persistent(True)

    def load_pretrained(self) -> None:
        """Load pretrained weights; called before training unless it resumes from a checkpoint.

        Does nothing here: the network keeps its random initialisation.
        """

    def check_resumable(self, checkpoint: Mapping[str, Any]) -> None:
        """Check that a checkpoint is of the same network and trains the same parts of it.

        Args:
            checkpoint: A checkpoint whose weights have the same names and shapes.

        Raises:
            UserError: Its optimiser has other parameter groups, or its network computes something
                else with the same weights.
        """
        # The first versions did not normalise the contrast.
        theirs = {"contrast_normalisation": False, **checkpoint.get("hyper_parameters", {})}
        for name in COMPUTATION:
            if name in theirs and theirs[name] != self.hparams.get(name, theirs[name]):
                raise UserError(
                    f"--ckpt_path: the checkpoint is of a training with --model.{name} "
                    f"{str(theirs[name]).lower()}; resume with that"
                )
        mine = [len(group["params"]) for group in self._parameter_groups()]
        for state in checkpoint.get("optimizer_states", []):
            if mine != [len(group["params"]) for group in state["param_groups"]]:
                raise UserError(
                    "--ckpt_path: the checkpoint trains other parts of the network; resume with "
                    "its --model.strategy"
                )

    def learning_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the parameters that are trained at any point of the training; here all of them."""
        yield from self.network.parameters()

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits ``(N, 10)`` of uint8 images ``(N, 1, 28, 28)``."""
        logits: Tensor = self.network(images)
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of one batch.

        Raises:
            NonFiniteLossError: The loss is NaN or infinite. No weight has been updated with it.
        """
        images, labels = batch
        logits = self(images)
        if self.soft_labels is None:
            loss = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        else:
            loss = F.cross_entropy(logits, self.soft_labels)
        if not torch.isfinite(loss):
            raise self._diverged(f"the loss became {loss.item()} at step {self.global_step + 1}")
        self.train_loss.update(loss.detach(), weight=len(labels))
        self.train_metrics.update(logits.detach(), labels)
        return loss

    def on_validation_start(self) -> None:
        """Stop a training whose weights are not finite before they are validated and saved."""
        if self.trainer.state.fn == TrainerFn.FITTING:
            self._check_weights()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse to save weights that are not finite, so that the previous checkpoint stays."""
        self._check_weights()

    def _check_weights(self) -> None:
        # Once an epoch, not in every step: the next loss would not be finite either, but after the
        # last step of an epoch a checkpoint is saved before there is a next loss.
        for name, value in self.network.state_dict().items():
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise self._diverged(f"'{name}' is no longer finite after step {self.global_step}")

    def _diverged(self, event: str) -> NonFiniteLossError:
        return NonFiniteLossError(
            f"{event} (epoch {self.current_epoch + 1}); the last checkpoint is from before that. "
            f"Try a lower --model.learning_rate than {self.learning_rate:g}"
        )

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Update the validation loss and metrics with one batch."""
        self._evaluate(batch, self.val_loss, self.val_metrics)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Update the test loss and metrics with one batch."""
        self._evaluate(batch, self.test_loss, self.test_metrics)

    def _evaluate(
        self, batch: tuple[Tensor, Tensor], loss: MeanMetric, metrics: MetricCollection
    ) -> None:
        images, labels = batch
        logits = self(images)
        loss.update(F.cross_entropy(logits, labels), weight=len(labels))
        metrics.update(logits, labels)

    def on_train_epoch_end(self) -> None:
        """Log the training loss and metrics of the epoch."""
        self._log("train", self.train_loss, self.train_metrics)

    def on_validation_epoch_end(self) -> None:
        """Log the validation loss and metrics."""
        self._log("val", self.val_loss, self.val_metrics)

    def on_test_epoch_end(self) -> None:
        """Log the test loss and metrics."""
        self._log("test", self.test_loss, self.test_metrics)

    def _log(self, stage: str, loss: MeanMetric, metrics: MetricCollection) -> None:
        # Computed once an epoch, over all processes: logging in every step would cost more than the
        # updates. While training, the History callback passes whole epochs to the loggers.
        values = {f"{stage}/loss": loss.compute(), **metrics.compute()}
        self.log_dict(values, logger=stage == "test")
        loss.reset()
        metrics.reset()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build AdamW over all trained parameters, and a learning rate schedule per step."""
        # One kernel updates all weights. Under mixed precision, Lightning cannot clip
        # gradients with a fused optimiser.
        fused = self.device.type in ("cpu", "cuda") and not self.trainer.gradient_clip_val
        groups, rate = self._parameter_groups(), self.learning_rate
        optimizer = torch.optim.AdamW(groups, rate, weight_decay=self.weight_decay, fused=fused)
        schedule = self._schedule(optimizer, int(self.trainer.estimated_stepping_batches))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _schedule(self, optimizer: Optimizer, total_steps: int) -> LRScheduler:
        """Return a one-cycle schedule over the whole training."""
        return OneCycleLR(optimizer, self.learning_rate, total_steps=total_steps)

    def on_train_start(self) -> None:
        """Check that the schedule has the length of this run.

        Raises:
            UserError: The learning rate, of a checkpoint or before a callback changed the number
                of steps, was planned for another one.
        """
        schedule = self.lr_schedulers()
        assert isinstance(schedule, LRScheduler)
        steps = int(self.trainer.estimated_stepping_batches)
        planned = schedule.state_dict().get("total_steps", steps)
        if planned == steps:
            return
        if self.trainer.ckpt_path is None:
            raise UserError(
                f"--trainer.callbacks: a callback changed the number of steps from {planned} to "
                f"{steps}, but the learning rate is planned for {planned}; omit that callback"
            )
        raise UserError(
            f"--ckpt_path: the checkpoint's learning rate is planned for {planned} steps, this "
            f"run has {steps}; resume with the checkpoint's settings or train without --ckpt_path"
        )

    def _parameter_groups(self) -> list[dict[str, Any]]:
        return decay_groups(self.network.parameters())


def decay_groups(parameters: Iterable[nn.Parameter], **options: Any) -> list[dict[str, Any]]:
    """Return two parameter groups for an optimiser: one with weight decay and one without.

    Scales, shifts and biases are excluded from weight decay, as is usual: shrinking them changes
    what a layer can express, not how smooth it is.

    Args:
        parameters: The parameters to divide.
        **options: Options of both groups, e.g. ``lr``.
    """
    every = list(parameters)
    return [
        {**options, "params": [p for p in every if p.ndim > 1]},
        {**options, "params": [p for p in every if p.ndim <= 1], "weight_decay": 0.0},
    ]
