"""What the timed trainings in PyTorch share, ours among them."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.peers.timed_training import Clock

Weights = dict[str, Tensor]
MEAN, STD = 0.1307, 0.3081  # of the pixels of the 60,000 training images, on a scale of 0 to 1


def choose_device() -> torch.device:
    """Return the GPU where there is one, as our Trainer does."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def clock_of(device: torch.device, started: float) -> Clock:
    """Make a clock that waits for a GPU before it is read."""
    return Clock(started, torch.cuda.synchronize) if device.type == "cuda" else Clock(started)


def warm_up(network: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Let kernels be chosen and compiled, on a copy.

    No weight and no random number of the training is touched.

    Args:
        network: What is going to be trained.
        images: A batch such as it will be given.
        labels: Their classes.
    """
    with torch.random.fork_rng():
        copy = deepcopy(network).train()
        for _ in range(3):
            F.cross_entropy(copy(images), labels).backward()


def weights_of(network: nn.Module) -> Weights:
    """Copy the weights and buffers of a network."""
    return deepcopy(network.state_dict())


def test_accuracies(
    network: nn.Module, epochs: Sequence[Weights], images: Tensor, labels: Tensor
) -> list[float]:
    """Measure the share of right answers with the weights of each epoch, in float32.

    Args:
        network: Takes ``images``; it is left with the weights of the last epoch.
        epochs: Weights after each epoch.
        images: The test images.
        labels: int64 ``(N,)``, on the same device.
    """
    network.eval()
    found = []
    for weights in epochs:
        network.load_state_dict(weights)
        with torch.inference_mode():
            answers = torch.cat([network(batch).argmax(dim=1) for batch in images.split(500)])
        found.append((answers == labels).double().mean().item())
    return found


def count_parameters(network: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in network.parameters())
