"""Several networks that answer as one."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """The mean of the probabilities of several networks, given as logits.

    ``softmax(logits)`` is that mean. The logarithm of a mean of softmaxes is taken as
    ``logsumexp(log_softmax(z_k)) - log K``, which neither overflows nor loses a network that is
    certain.

    Args:
        members: One network or more of the shape below, eager or TorchScript, on one device.

    Shape:
        - Input: uint8 ``(N, 1, 28, 28)``, 0 is background and 255 is ink.
        - Output: float32 ``(N, 10)``, logits.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        # An attribute, so that exported files hold it as a number.
        self.log_count = math.log(len(members))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of a batch of digits."""
        answers = [member(images).log_softmax(dim=1) for member in self.members]
        x = torch.stack(answers)  # (K, N, 10)
        logits: Tensor = x.logsumexp(dim=0) - self.log_count
        return logits  # (N, 10)
