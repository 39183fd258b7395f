"""Values that are computed from the images once before training, such as backbone features."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from mnist_lightning.data.augmentation import Augmentation, distort
from mnist_lightning.data.digits import Digits
from mnist_lightning.data.random_streams import stream_seed
from mnist_lightning.errors import DataError

Precompute = Callable[[Tensor, str], Tensor]
"""Maps uint8 ``(N, 1, 28, 28)`` and a title for messages to ``(N, ...)``."""

_CHUNK = 1000


class Precomputation:
    """Replaces images by the values that a function computes from them.

    For training, the function is applied to the original images and to a number of distorted
    copies, which are drawn once, from separate seeds, so that they are the same in every run.

    Args:
        precompute: The function, called once for each set of images.
        augmented_passes: Number of distorted copies, 0 or more.
        augmentation: Distribution of the distortions; None without copies.

    Raises:
        DataError: There are copies without an augmentation, or an augmentation without copies.
    """

    def __init__(
        self, precompute: Precompute, augmented_passes: int, augmentation: Augmentation | None
    ) -> None:
        if augmented_passes and augmentation is None:
            raise DataError(
                f"--model.augmented_passes {augmented_passes} needs a range of distortions: set "
                "one, such as --data.augmentation.rotation 10"
            )
        if augmentation is not None and not augmented_passes:
            raise DataError(
                "--data.augmentation has no effect on features that are computed once: omit it, "
                "or set --model.augmented_passes to compute those of distorted images as well"
            )
        self._precompute = precompute
        self._augmented_passes = augmented_passes
        self._augmentation = augmentation

    def evaluation(self, digits: Digits, title: str) -> Digits:
        """Replace the images of validation or test, which are never distorted.

        Args:
            digits: The images.
            title: Their name in messages, e.g. ``test images``.
        """
        return Digits(self._precompute(digits.images, title), digits.labels)

    def training_passes(self, digits: Digits, seed: int) -> list[Digits]:
        """Replace the training images and their distorted copies.

        Args:
            digits: The training images.
            seed: Seed of the distortions.

        Returns:
            The values of the original images, then those of each copy.
        """
        passes = [Digits(self._precompute(digits.images, "training images"), digits.labels)]
        for number in range(1, self._augmented_passes + 1):
            images = self._distorted(digits.images, seed, number)
            title = f"training images, distorted copy {number} of {self._augmented_passes}"
            passes.append(Digits(self._precompute(images, title), digits.labels))
        return passes

    def _distorted(self, images: Tensor, seed: int, number: int) -> Tensor:
        assert self._augmentation is not None
        # The spawn key makes this stream independent of those of the loader, which have none.
        generator = Generator().manual_seed(stream_seed(seed, spawn_key=(number,)))
        warp = self._augmentation.draw(len(images), generator)
        look = self._augmentation.draw_look(len(images), generator)
        parts = []
        for start in range(0, len(images), _CHUNK):
            rows = slice(start, start + _CHUNK)
            parts.append(distort(images[rows], warp.rows(rows), look and look.rows(rows)))
        return torch.cat(parts)
