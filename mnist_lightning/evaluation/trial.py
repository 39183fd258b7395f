"""Several networks on the same digits, clean and corrupted."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mnist_lightning.corruptions.catalogue import Corruption
from mnist_lightning.corruptions.draws import Integers, Pixels
from mnist_lightning.corruptions.sweeps import Sweep
from mnist_lightning.evaluation.inference import predict_logits
from mnist_lightning.evaluation.robustness import ErrorRate, error_rate

# Images between two reports of progress.
PART = 500


def stratified_subset(labels: npt.NDArray[np.int64], limit: int, seed: int) -> Integers:
    """Choose images at random, each digit in proportion to its number.

    Args:
        labels: int64, ``(N,)``.
        limit: How many to choose, at least 1; all where there are not more.
        seed: Seed of the choice.

    Returns:
        Their indices, int64, ``(min(N, limit),)``, in growing order.
    """
    if limit >= len(labels):
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    # Each image's place within its digit, as a share: the smallest shares are a stratified choice.
    shares = np.empty(len(labels))
    for digit in np.unique(labels):
        places = order[labels[order] == digit]
        shares[places] = (np.arange(len(places)) + 0.5) / len(places)
    return np.sort(order[np.argsort(shares[order], kind="stable")][:limit]).astype(np.int64)


class Trial:
    """Images on which several networks are tried, corruption after corruption.

    Args:
        networks: uint8 ``(N, 1, 28, 28)`` to float32 ``(N, 10)``, in eval mode, by name.
        images: uint8, ``(N, 28, 28)``.
        labels: int64, ``(N,)``.
        indices: int64, ``(N,)``: the images' places in the test set.
        seed: Seed of the corruptions.
        advance: Called with the number of images just predicted by one network.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        images: Pixels,
        labels: Tensor,
        indices: Integers,
        seed: int,
        advance: Callable[[int], object],
    ) -> None:
        self._networks, self._images, self._labels = networks, images, labels
        self._indices, self._seed, self._advance = indices, seed, advance

    def clean(self) -> dict[str, ErrorRate]:
        """Try the images as they are; the rates are by the network's name, as in all trials."""
        return self._try(self._images)

    def corrupted(self, corruption: Corruption) -> dict[str, ErrorRate]:
        """Try a corruption."""
        return self._try(corruption(self._images, self._indices, self._seed))

    def swept(self, sweep: Sweep, strength: float) -> dict[str, ErrorRate]:
        """Try one strength of a sweep."""
        return self._try(sweep(self._images, self._indices, self._seed, strength))

    def _try(self, images: Pixels) -> dict[str, ErrorRate]:
        tensors = torch.from_numpy(images).unsqueeze(1)
        rates = {}
        for name, network in self._networks.items():
            errors = 0
            for start in range(0, len(images), PART):
                part = slice(start, start + PART)
                predicted = predict_logits(network, tensors[part]).argmax(dim=1)
                errors += int((predicted != self._labels[part]).sum())
                self._advance(len(predicted))
            rates[name] = error_rate(errors, len(images))
        return rates
