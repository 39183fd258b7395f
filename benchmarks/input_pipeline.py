"""Input pipelines in images per second: slices of a tensor against a DataLoader.

    python -m benchmarks.input_pipeline [--data_dir data] [--rounds 5]

The other pipeline is that of most MNIST examples: torchvision's dataset with ToTensor and Normalize
behind a DataLoader in the main process. Ours delivers uint8, because the networks normalise. Needs
the whole MNIST as IDX files in torchvision's folders.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch.utils.data import DataLoader, Subset
from torchvision import transforms
from torchvision.datasets import MNIST

from benchmarks.harness import print_machine, time_interleaved, write_result
from mnist_lightning.data.augmentation import Augmentation, apply_warp
from mnist_lightning.data.loader import BatchLoader
from mnist_lightning.data.sources import load_dataset

BATCH = 128
PEER_IMAGES = 6_000  # a tenth of the set, because this pipeline is much slower


def _torchvision(data_dir: Path) -> Callable[[], None]:
    steps = [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
    dataset = MNIST(str(data_dir), train=True, transform=transforms.Compose(steps))
    loader = DataLoader(Subset(dataset, range(PEER_IMAGES)), batch_size=BATCH, shuffle=True)

    def run() -> None:
        for _ in loader:
            pass

    return run


def _ours(data_dir: Path, augmentation: Augmentation | None) -> Callable[[], None]:
    digits = load_dataset(data_dir, "mnist", download=False).train
    loader = BatchLoader(digits, BATCH, seed=0, augmentation=augmentation)

    def run() -> None:
        for batch in loader:
            if batch.warp is not None:
                apply_warp(batch.images, batch.warp)

    return run


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--data_dir", type=Path, default=Path("data"))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    variants = {
        "torchvision Dataset, ToTensor, Normalize": _torchvision(arguments.data_dir),
        "slices of a tensor": _ours(arguments.data_dir, None),
        "slices, affine distortion": _ours(arguments.data_dir, Augmentation()),
        "slices, affine and elastic distortion": _ours(arguments.data_dir, Augmentation(elastic=1)),
    }
    print_machine()
    seconds = time_interleaved(variants, arguments.rounds)
    rates: dict[str, float] = {}
    for name, values in seconds.items():
        images = PEER_IMAGES if name.startswith("torchvision") else 60_000
        rates[name] = images / median(values)
    slowest = min(rates.values())
    print(f"{'pipeline':<42}{'images/s':>12}{'ratio':>9}")
    for name, rate in rates.items():
        print(f"{name:<42}{rate:>12,.0f}{rate / slowest:>8.1f}x")
    write_result(
        "input_pipeline",
        {"batch_size": BATCH, "rounds": arguments.rounds, "images_per_second": rates},
    )


if __name__ == "__main__":
    with torch.inference_mode():
        main()
