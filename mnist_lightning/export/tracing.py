"""Helpers of the exporters: the network as it is exported, an example batch, fewer warnings."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn

from mnist_lightning.data.digits import SIDE

# torch.export would take a batch of one for a constant.
EXAMPLE_BATCH = 2


def plain_copy(network: nn.Module) -> nn.Module:
    """Return a copy on the CPU, in float32 and evaluation mode, without gradients."""
    # The layout of the weights decides that of the convolutions in a .pt or .pt2 file, and
    # channels_last is up to twice as fast on a CPU. ONNX has no layouts.
    copy = deepcopy(network).cpu().float().eval().to(memory_format=torch.channels_last)
    return copy.requires_grad_(False)


class CheckedInput(nn.Module):
    """A network that refuses other input than digits, for formats that do not check it themselves.

    Pixels that are already scaled to 0..1 would give wrong digits without an error.

    Args:
        network: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of a batch of digits.

        Raises:
            ValueError: The images are not uint8 of shape ``(N, 1, 28, 28)``.
        """
        # TorchScript compares lists of numbers, not shapes, and cannot read a global.
        if images.dtype != torch.uint8 or list(images.shape[1:]) != [1, 28, 28]:
            raise ValueError(
                "expected uint8 images of shape (N, 1, 28, 28), 0 is background and 255 is ink; "
                f"found other values or the shape {list(images.shape)}"
            )
        logits: Tensor = self.network(images)
        return logits


def example() -> Tensor:
    """Return blank images to trace a network with, uint8 ``(2, 1, 28, 28)``."""
    return torch.zeros(EXAMPLE_BATCH, 1, SIDE, SIDE, dtype=torch.uint8)


@contextmanager
def quiet_torch() -> Iterator[None]:
    """Suppress what exporters and loaders log and warn about their own code.

    TorchScript warns that it is deprecated. The study promises its files, because LibTorch and the
    mobile runtimes still load them.
    """
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning)
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            warnings.filterwarnings("ignore", category=UserWarning, module=r"torch\b|onnx")
            yield
    finally:
        logging.disable(before)
