"""Ten epochs of a head on a frozen ResNet50, with and without the feature cache.

    python -m benchmarks.feature_cache [--images 2000] [--image-size 64] [--device cuda]

Without the cache, the same optimised backbone runs over all images in every epoch. Images and
weights are random, which does not affect the time.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmarks.harness import print_machine, write_result
from mnist_lightning.models.feature_cache import cached_features
from mnist_lightning.models.feature_extraction import FeatureExtractor, Precision
from mnist_lightning.models.resnet50 import ResNet50

EPOCHS = 10
BATCH_SIZE = 128


def shuffled(count: int) -> Iterator[Tensor]:
    """Yield the indices of one epoch in batches."""
    order = torch.randperm(count)
    for start in range(0, count, BATCH_SIZE):
        yield order[start : start + BATCH_SIZE]


def train_head(network: ResNet50, epochs: Callable[[], Iterator[tuple[Tensor, Tensor]]]) -> None:
    """Train the head on batches of features and labels; ``epochs()`` yields those of an epoch."""
    device = network.head.weight.device
    optimizer = torch.optim.AdamW(network.head.parameters())
    for _ in range(EPOCHS):
        for features, labels in epochs():
            optimizer.zero_grad()
            logits = network.classify(features.float().to(device))
            cross_entropy(logits, labels.to(device)).backward()
            optimizer.step()


def without_cache(network: ResNet50, images: Tensor, labels: Tensor, precision: Precision) -> None:
    """Run the backbone in every epoch."""
    extract = FeatureExtractor(network, precision, BATCH_SIZE)

    def epoch() -> Iterator[tuple[Tensor, Tensor]]:
        for batch in shuffled(len(images)):
            for features in extract(images[batch]):
                # Copied, because autograd refuses tensors created in inference mode.
                yield features.clone(), labels[batch]

    train_head(network, epoch)


def with_cache(
    network: ResNet50, images: Tensor, labels: Tensor, precision: Precision, folder: Path
) -> None:
    """Run the backbone at most once and read its features from the disk."""
    features = cached_features(network, images, folder=folder, precision=precision, title="images")

    def epoch() -> Iterator[tuple[Tensor, Tensor]]:
        for batch in shuffled(len(images)):
            yield features[batch], labels[batch]

    train_head(network, epoch)


def seconds_of(run: Callable[[], None]) -> float:
    """Time one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--precision", choices=get_args(Precision), default="bf16-mixed")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args(argv)
    print_machine()
    torch.manual_seed(0)
    network = ResNet50(arguments.image_size).to(arguments.device)
    images = torch.randint(0, 256, (arguments.images, 1, 28, 28), dtype=torch.uint8)
    labels = torch.randint(0, 10, (arguments.images,))
    precision: Precision = arguments.precision
    with tempfile.TemporaryDirectory() as folder:
        # The first call with a new shape is slower, which must not count for either variant.
        list(FeatureExtractor(network, precision, BATCH_SIZE)(images[:BATCH_SIZE]))
        uncached = seconds_of(lambda: without_cache(network, images, labels, precision))
        first, second = (
            seconds_of(lambda: with_cache(network, images, labels, precision, Path(folder)))
            for _ in range(2)
        )
    print(f"\n{EPOCHS} epochs of the head on {len(images):,} images of {network.image_size} pixels")
    print(f"  backbone in every epoch   {uncached:8.1f} s")
    print(f"  with an empty cache       {first:8.1f} s   {uncached / first:6.1f} x")
    print(f"  with the cache filled     {second:8.1f} s   {uncached / second:6.1f} x")
    write_result(
        f"feature_cache_{arguments.device}",
        {
            **vars(arguments),
            "epochs": EPOCHS,
            "seconds_without_cache": uncached,
            "seconds_with_empty_cache": first,
            "seconds_with_filled_cache": second,
        },
    )


if __name__ == "__main__":
    main()
