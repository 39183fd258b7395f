"""Digits in memory: what every source delivers and every loader reads."""

from dataclasses import dataclass

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
