"""The frozen backbones of the learning curve, and their features of a whole dataset."""

import time
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from mnist_lightning.data.digits import DigitDataset
from mnist_lightning.learning_curve.arms import Start
from mnist_lightning.models import ResNet50, control_weights
from mnist_lightning.models.feature_cache import cached_features
from mnist_lightning.models.feature_extraction import FeatureExtractor, Precision
from mnist_lightning.models.pretrained import load_backbone

_TIMED_IMAGES = 512


class Features(NamedTuple):
    """The features of a frozen backbone, on the device of the training.

    Attributes:
        train: float16 ``(N, num_features)``, of all training images of the dataset.
        test: The same of the test images.
        seconds_per_image: Time to compute the features of one image, without a cache.
    """

    train: Tensor
    test: Tensor
    seconds_per_image: float


def freeze_backbone(
    network: ResNet50, start: Start, path: Path | None, images: Tensor, seed: int
) -> None:
    """Set the weights of a backbone that stays frozen, in place, and switch to evaluation mode.

    Args:
        network: The network, with random weights.
        start: The weights to give it.
        path: The file of the pretrained weights; None for random ones.
        images: uint8, ``(N, 1, 28, 28)``: what batch normalisation is adapted to where the weights
            are not pretrained ones.
        seed: Seed of weights that are drawn again.

    Raises:
        WeightsError: The file does not fit the network.
    """
    if path is not None:
        load_backbone(network, path)
    if start == "redrawn":
        control_weights.redraw(network, seed)
    network.eval()
    if start != "pretrained":
        control_weights.estimate_statistics(network, images)


def compute_features(
    network: ResNet50, dataset: DigitDataset, *, folder: Path, precision: Precision, title: str
) -> Features:
    """Take the features of all images from the cache, or compute them and store them there.

    Args:
        network: The network whose backbone is used.
        dataset: The images.
        folder: Folder of the cache.
        precision: Arithmetic of the backbone.
        title: Name of the network in messages.

    Raises:
        OutputError: The folder cannot be used.
    """
    parts = (dataset.train, "training images"), (dataset.test, "test images")
    train, test = (
        cached_features(
            network, digits.images, folder=folder, precision=precision, title=f"the {name}, {title}"
        ).to(network.mean.device)
        for digits, name in parts
    )
    extract, images = FeatureExtractor(network, precision), dataset.train.images[:_TIMED_IMAGES]
    list(extract(images))  # warms up
    start = time.perf_counter()
    list(extract(images))
    return Features(train, test, (time.perf_counter() - start) / len(images))
