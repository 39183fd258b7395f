"""The MNIST recipe of `pytorch/examples`, reimplemented from its description.

    python -m benchmarks.peers.pytorch_example --output FILE [--seed 0] [--epochs 14]

Two 3x3 convolutions with 32 and 64 channels, pooling, 128 hidden units, dropout 0.25 and 0.5;
Adadelta with a learning rate of 1.0 that falls to 0.7 times itself with each epoch, batches of 64
from torchvision's dataset and a DataLoader, 14 epochs on all training images, in float32.
Published: 99.19 %.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import MNIST

from benchmarks.peers.timed_training import Clock, TimedTraining, training_parser
from benchmarks.peers.torch_training import (
    MEAN,
    STD,
    choose_device,
    clock_of,
    count_parameters,
    test_accuracies,
    warm_up,
    weights_of,
)

EPOCHS = 14
BATCH = 64


def build_network() -> nn.Sequential:
    """Build the network: float32 ``(N, 1, 28, 28)`` to ``(N, 10)``."""
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU()),  # (N, 64, 24, 24)
        *(nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten()),  # (N, 9216)
        *(nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
    )


def train(data_dir: Path, clock: Clock, *, seed: int, epochs: int = EPOCHS) -> TimedTraining:
    """Train on all training images and test the weights of all epochs afterwards.

    Args:
        data_dir: Root of torchvision's dataset, with the files in ``MNIST/raw``.
        clock: The clock to read after each epoch.
        seed: Seed of the weights, the order and dropout.
        epochs: Passes over the training images.
    """
    device = choose_device()
    torch.manual_seed(seed)
    steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])
    dataset = MNIST(str(data_dir), train=True, transform=steps)
    # One worker process feeds a GPU, as in the example.
    workers = {"num_workers": 1, "pin_memory": True} if device.type == "cuda" else {}
    loader = DataLoader(dataset, batch_size=BATCH, shuffle=True, **workers)
    network = build_network().to(device)
    optimizer = torch.optim.Adadelta(network.parameters(), lr=1.0)
    schedule = StepLR(optimizer, step_size=1, gamma=0.7)
    for size in {BATCH, len(dataset) % BATCH} - {0}:
        zeros = torch.zeros(size, 1, 28, 28, device=device)
        warm_up(network, zeros, torch.zeros(size, dtype=torch.long, device=device))

    weights = []
    clock.start()
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(network(images.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
        schedule.step()
        clock.lap()
        with clock.paused():
            weights.append(weights_of(network))
    digits = MNIST(str(data_dir), train=False)
    test = ((digits.data.unsqueeze(1).float() / 255 - MEAN) / STD).to(device)
    return TimedTraining(
        parameters=count_parameters(network),
        training_images=len(dataset),
        precision="32-true",
        laps=clock.laps,
        test_accuracy=test_accuracies(network, weights, test, digits.targets.to(device)),
        selected_epoch=epochs,
        versions={"torch": torch.__version__},
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Train and write the result."""
    arguments = training_parser(__doc__, EPOCHS).parse_args(argv)
    clock = clock_of(choose_device(), arguments.started)
    result = train(arguments.data_dir, clock, seed=arguments.seed, epochs=arguments.epochs)
    result.write(arguments.output)


if __name__ == "__main__":
    main()
