"""What the exporters of torch share: the network as it is exported, and an example batch."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn

# A batch of one would be taken for a constant.
EXAMPLE_BATCH = 2


def plain_copy(network: nn.Module) -> nn.Module:
    """Return the network as it is exported: on the CPU, in float32 and evaluation mode."""
    # The layout of the weights decides that of a .pt2 file's convolutions, and channels_last is up
    # to twice as fast on a CPU. ONNX knows no layouts: its files are the same.
    copy = deepcopy(network).cpu().float().eval().to(memory_format=torch.channels_last)
    return copy.requires_grad_(False)


def example() -> Tensor:
    """Return images to trace a network with."""
    return torch.zeros(EXAMPLE_BATCH, 1, 28, 28, dtype=torch.uint8)


@contextmanager
def quiet_torch() -> Iterator[None]:
    """Keep torch's exporters from warning of their own insides."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning)
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            warnings.filterwarnings("ignore", category=UserWarning, module=r"torch\b|onnx")
            yield
    finally:
        logger.setLevel(level)
