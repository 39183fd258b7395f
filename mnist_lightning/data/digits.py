"""Digits in memory: images with labels, subsets, and datasets."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

#: Side of every image, in pixels.
SIDE = 28
#: Number of classes, the digits 0 to 9.
CLASSES = 10
#: Images outside of tensors: uint8, ``(N, 28, 28)`` or ``(28, 28)``, 0 is background.
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Digits:
    """Images and their labels.

    Attributes:
        images: uint8, ``(N, 1, 28, 28)``, 0 is background and 255 is ink; or values precomputed
            from such images, any dtype, ``(N, ...)``.
        labels: int64, ``(N,)``, each from 0 to 9.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Tensor | slice) -> "Digits":
        return Digits(self.images[index], self.labels[index])

    @property
    def device(self) -> torch.device:
        """The device of the images."""
        return self.images.device

    def to(self, device: torch.device) -> "Digits":
        """Return the digits on a device, without a copy if they are there already."""
        return Digits(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True, eq=False)
class Subset:
    """A subset by indices; images are only copied when they are read.

    Setting a few thousand images aside must not double the memory of millions.

    Attributes:
        whole: The whole set.
        indices: int64, ``(N,)``, positions of the images in the whole set.
    """

    whole: Digits
    indices: Tensor

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Tensor | slice) -> Digits:
        return self.whole[self.indices[index]]

    @property
    def images(self) -> Tensor:
        """A copy of the images."""
        return self.whole.images[self.indices]

    @property
    def labels(self) -> Tensor:
        """A copy of the labels."""
        return self.whole.labels[self.indices]

    @property
    def device(self) -> torch.device:
        """The device of the images."""
        return self.whole.device

    def to(self, device: torch.device) -> "Digits | Subset":
        """Return the digits on a device: this subset if they are there already, else a copy."""
        return self if device == self.device else self[:].to(device)


@dataclass(frozen=True, eq=False)
class DigitDataset:
    """A dataset with an official test set.

    Attributes:
        name: Its name in records, titles and tables, e.g. ``MNIST``.
        train: The images for training and validation.
        test: The images that are evaluated once, after training.
        fingerprint: SHA-256 (64 hexadecimal digits) over all pixels and labels, in order.
        is_standard: Whether this is the standard MNIST, so that published results and the known
            label errors apply to it.
    """

    name: str
    train: Digits
    test: Digits
    fingerprint: str
    is_standard: bool


@dataclass(frozen=True, eq=False)
class HeldOutDigits:
    """The images that a model was not trained on.

    Attributes:
        test: The official test images.
        validation: The images that were set aside from the training images.
        validation_indices: int64, ``(M,)``, their positions among the training images.
    """

    test: Digits
    validation: Digits
    validation_indices: Tensor
