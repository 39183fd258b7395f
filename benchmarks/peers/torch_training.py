"""Shared code of the timed trainings in PyTorch, including ours."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.peers.timed_training import Clock

Weights = dict[str, Tensor]
MEAN, STD = 0.1307, 0.3081  # of the pixels of the 60,000 training images, on a scale of 0 to 1


def choose_device() -> torch.device:
    """Return the GPU if there is one, as our Trainer does."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def clock_of(device: torch.device, started: float) -> Clock:
    """Return a clock that waits for a GPU before it is read."""
    return Clock(started, torch.cuda.synchronize) if device.type == "cuda" else Clock(started)


def warm_up(network: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Run some steps on a copy, so that kernels are selected and compiled.

    This changes neither the weights nor the random numbers of the training.

    Args:
        network: The network to train.
        images: A batch of the size and type used in training.
        labels: Its labels.
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
    """Return the test accuracy with the weights of each epoch, in float32.

    Args:
        network: The network; afterwards it has the weights of the last epoch.
        epochs: The weights after each epoch.
        images: The test images.
        labels: int64 ``(N,)``, on the same device.
    """
    network.eval()
    found = []
    for weights in epochs:
        network.load_state_dict(weights)
        with torch.inference_mode():
            predicted = torch.cat([network(batch).argmax(dim=1) for batch in images.split(500)])
        found.append((predicted == labels).double().mean().item())
    return found


def count_parameters(network: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in network.parameters())
