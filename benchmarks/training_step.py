"""A training step on random images, for benchmarks of how fast a step is."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from mnist_lightning.training.precision import choose_precision


def training_step(network: nn.Module, batch_size: int) -> Callable[[], float]:
    """Return a function that trains a network on the same images again.

    Args:
        network: uint8 ``(N, 1, 28, 28)`` to logits ``(N, 10)``, on the CPU.
        batch_size: Images of a step.

    Returns:
        A function that does one step of AdamW, in bfloat16 if the processor supports it, and
        returns the loss before it.
    """
    images = torch.randint(0, 256, (batch_size, 1, 28, 28), dtype=torch.uint8)
    labels = torch.randint(0, 10, (batch_size,))
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    bf16 = choose_precision("cpu")[0] == "bf16-mixed"

    def step() -> float:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = F.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
