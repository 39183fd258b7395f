"""A linear layer on frozen features, trained until it converges."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from mnist_lightning.data.digits import CLASSES

WEIGHT_DECAY = 5e-4
"""Weight of half the squared norm against the mean loss, ``1 / (C N)`` in scikit-learn.

Chosen on the validation images with all 55,000 labels, see ``benchmarks/transfer_pilot.py``.
"""

MOST_ITERATIONS = 2000
TOLERANCE = 1e-5
"""Largest element of the gradient at which the training has converged."""


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """A trained linear layer.

    Attributes:
        weight: float32, ``(10, F)``, for standardised features.
        bias: float32, ``(10,)``.
        mean: float32, ``(F,)``, mean of each feature over the training images.
        std: float32, ``(F,)``, its standard deviation; 1 where it is constant.
        iterations: Iterations of L-BFGS.
        converged: Whether the gradient fell below the tolerance.
    """

    weight: Tensor
    bias: Tensor
    mean: Tensor
    std: Tensor
    iterations: int
    converged: bool

    def predict(self, features: Tensor) -> Tensor:
        """Return the digit of each row of features, int64 ``(N,)``."""
        return F.linear((features.float() - self.mean) / self.std, self.weight, self.bias).argmax(1)


def fit_probe(features: Tensor, labels: Tensor) -> LinearProbe:
    """Fit multinomial logistic regression with L-BFGS, the usual linear probe.

    The problem is convex, so that its solution depends on the images and the penalty alone and not
    on a learning rate or a number of epochs. The penalty is the same for all numbers of images:
    nothing is chosen by other labels.

    Args:
        features: ``(N, F)``, any floating dtype; standardised here.
        labels: int64, ``(N,)``, on the same device.
    """
    values = features.float()
    mean, std = values.mean(0), values.std(0)
    std = torch.where(std > 1e-6, std, torch.ones_like(std))
    values = (values - mean) / std
    weight = torch.zeros(CLASSES, values.shape[1], device=values.device, requires_grad=True)
    bias = torch.zeros(CLASSES, device=values.device, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=MOST_ITERATIONS,
        tolerance_grad=TOLERANCE,
        tolerance_change=0,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        mean_loss = F.cross_entropy(F.linear(values, weight, bias), labels)
        value = mean_loss + WEIGHT_DECAY * weight.square().sum() / 2
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    loss()
    assert weight.grad is not None
    gradient = float(weight.grad.abs().max())
    iterations = int(optimizer.state[weight]["n_iter"])
    found = weight.detach(), bias.detach(), mean, std, iterations
    return LinearProbe(*found, converged=gradient <= TOLERANCE)
