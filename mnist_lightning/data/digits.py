"""Digits in memory: what every source delivers and every loader reads."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Digits:
    """Images and their labels.

    Attributes:
        images: uint8, ``(N, 1, 28, 28)``, 0 is background and 255 is ink; or what has been
            precomputed from such images, any dtype, ``(N, ...)``.
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
        """Where they are."""
        return self.images.device

    def to(self, device: torch.device) -> "Digits":
        """Return them on a device, without a copy if they are there."""
        return Digits(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True, eq=False)
class Subset:
    """Some of the images of a set, by their indices: only what is asked for is copied.

    A set of millions of images is not there twice because a few thousand are set aside.

    Attributes:
        whole: The set.
        indices: int64, ``(N,)``, which of its images, in this order.
    """

    whole: Digits
    indices: Tensor

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Tensor | slice) -> Digits:
        return self.whole[self.indices[index]]

    @property
    def images(self) -> Tensor:
        """A copy of their images."""
        return self.whole.images[self.indices]

    @property
    def labels(self) -> Tensor:
        """A copy of their labels."""
        return self.whole.labels[self.indices]

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.whole.device

    def to(self, device: torch.device) -> "Digits | Subset":
        """Return them on a device: this subset if they are there, else a copy."""
        return self if device == self.device else self[:].to(device)


@dataclass(frozen=True, eq=False)
class DigitDataset:
    """A dataset with an official test set.

    Attributes:
        name: What it is called in records, titles and tables, e.g. ``MNIST``.
        train: The images that training and validation share.
        test: The images that are used once, after training.
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
        validation: Training images that were set aside.
        validation_indices: int64, ``(M,)``, their positions among the training images.
    """

    test: Digits
    validation: Digits
    validation_indices: Tensor
