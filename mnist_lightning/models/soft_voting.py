"""An ensemble: several networks combined into one by averaging their probabilities."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """Averages the probabilities of several networks and returns the logarithm of the mean.

    The mean is ``softmax(logits)``. Its logarithm is computed as
    ``logsumexp(log_softmax(z_k)) - log K``, which does not overflow and stays finite where members
    are certain of different digits. The logarithm is divided by a temperature, 1 at first: the mean
    of calibrated probabilities is less confident than it is accurate.

    Args:
        members: One or more networks of the shape below, eager or TorchScript, on one device.

    Shape:
        - Input: uint8 ``(N, 1, 28, 28)``, 0 is background and 255 is ink.
        - Output: float32 ``(N, 10)``, logits.
    """

    temperature: Tensor

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        # An attribute, so that exported files store it as a constant.
        self.log_count = math.log(len(members))
        # A buffer, so that files of weights contain it.
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of a batch of digits."""
        log_probabilities = [member(images).log_softmax(dim=1) for member in self.members]
        x = torch.stack(log_probabilities)  # (K, N, 10)
        logits: Tensor = (x.logsumexp(dim=0) - self.log_count) / self.temperature
        return logits  # (N, 10)
