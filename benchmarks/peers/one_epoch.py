"""The one-epoch recipe of `train_mnist_fast`, reimplemented from its description.

    python -m benchmarks.peers.one_epoch --output FILE [--seed 0] [--bfloat16]

Convolution 5x5x24, pooling, convolution 3x3x32, pooling, 256 hidden units, ReLU; Adam with betas
0.7 and 0.9, a one-cycle learning rate up to 0.01, batches of 256, the whole training set resident
on the device. Published for a GTX 1660 Ti: 0.762 s to 99.04 %, the mean of 30 seeds. It trains in
float32; `--bfloat16` uses the precision and the memory format of our networks.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

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
from mnist_lightning.data.digits import DigitDataset
from mnist_lightning.data.sources import load_dataset

EPOCHS = 1
BATCH = 256


def build_network() -> nn.Sequential:
    """Build the network: float32 ``(N, 1, 28, 28)`` to ``(N, 10)``."""
    return nn.Sequential(
        *(nn.Conv2d(1, 24, 5), nn.ReLU(), nn.MaxPool2d(2)),  # (N, 24, 12, 12)
        *(nn.Conv2d(24, 32, 3), nn.ReLU(), nn.MaxPool2d(2)),  # (N, 32, 5, 5)
        *(nn.Flatten(), nn.Linear(800, 256), nn.ReLU(), nn.Linear(256, 10)),
    )


def train(
    dataset: DigitDataset, clock: Clock, *, seed: int, epochs: int = EPOCHS, bfloat16: bool = False
) -> TimedTraining:
    """Train on all training images and test the weights of all epochs afterwards.

    Args:
        dataset: The digits.
        clock: The clock to read after each epoch.
        seed: Seed of the weights and the order.
        epochs: Passes over the training images.
        bfloat16: Train with bfloat16 and channels_last, as our networks.
    """
    device = choose_device()
    torch.manual_seed(seed)
    layout = torch.channels_last if bfloat16 else torch.contiguous_format
    network = build_network().to(device, memory_format=layout)
    images, test = (_normalised(part.images, device) for part in (dataset.train, dataset.test))
    labels = dataset.train.labels.to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, betas=(0.7, 0.9))
    steps = epochs * -(-len(labels) // BATCH)
    # Without momentum cycling, which would replace the first beta.
    schedule = OneCycleLR(optimizer, max_lr=0.01, total_steps=steps, cycle_momentum=False)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=bfloat16)
    for size in {BATCH, len(labels) % BATCH} - {0}:
        with autocast:
            warm_up(network, images[:size], labels[:size])

    weights = []
    clock.start()
    for _ in range(epochs):
        for batch in torch.randperm(len(labels), device=device).split(BATCH):
            with autocast:
                loss = F.cross_entropy(network(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        clock.lap()
        with clock.paused():
            weights.append(weights_of(network))
    return TimedTraining(
        parameters=count_parameters(network),
        training_images=len(labels),
        precision="bf16-mixed" if bfloat16 else "32-true",
        laps=clock.laps,
        test_accuracy=test_accuracies(network, weights, test, dataset.test.labels.to(device)),
        selected_epoch=epochs,
        versions={"torch": torch.__version__},
    )


def _normalised(images: Tensor, device: torch.device) -> Tensor:
    return (images.to(device).float() / 255 - MEAN) / STD


def main(argv: Sequence[str] | None = None) -> None:
    """Train and write the result."""
    parser = training_parser(__doc__, EPOCHS)
    parser.add_argument(
        "--bfloat16", action="store_true", help="train with bfloat16 and channels_last"
    )
    arguments = parser.parse_args(argv)
    clock = clock_of(choose_device(), arguments.started)
    dataset = load_dataset(arguments.data_dir, "mnist", download=False)
    options = {"epochs": arguments.epochs, "bfloat16": arguments.bfloat16}
    train(dataset, clock, seed=arguments.seed, **options).write(arguments.output)


if __name__ == "__main__":
    main()
