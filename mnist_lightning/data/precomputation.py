"""Images that are looked at once, before training, instead of in every epoch."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Generator, Tensor

from mnist_lightning.data.augmentation import Augmentation, Warp, apply_warp
from mnist_lightning.data.digits import Digits
from mnist_lightning.errors import DataError

Precompute = Callable[[Tensor, str], Tensor]
"""Takes uint8 ``(N, 1, 28, 28)`` and what these are called in messages, and gives ``(N, ...)``."""

_CHUNK = 1000


class Precomputation:
    """Replaces images by what a function makes of them.

    The function sees the training images as they are and, if asked to, distorted copies of them.
    These are drawn once, from seeds of their own, so that they are the same in every run.

    Args:
        precompute: Called once for each set of images.
        augmented_passes: Number of distorted copies, 0 or more.
        augmentation: What they are drawn from; None where there are no copies.

    Raises:
        DataError: There are copies without an augmentation, or the other way round.
    """

    def __init__(
        self, precompute: Precompute, augmented_passes: int, augmentation: Augmentation | None
    ) -> None:
        if augmented_passes and augmentation is None:
            raise DataError(
                f"--model.augmented_passes {augmented_passes} needs to know how to distort images: "
                "give ranges, such as --data.augmentation.rotation 10"
            )
        if augmentation is not None and not augmented_passes:
            raise DataError(
                "--data.augmentation has no effect on features that are computed once: leave it "
                "out, or compute those of distorted images too with --model.augmented_passes"
            )
        self._precompute = precompute
        self._augmented_passes = augmented_passes
        self._augmentation = augmentation

    def evaluation(self, digits: Digits, title: str) -> Digits:
        """Replace images to validate or to test on, which are never distorted.

        Args:
            digits: The images.
            title: What they are called in messages, e.g. ``test images``.
        """
        return Digits(self._precompute(digits.images, title), digits.labels)

    def training_passes(self, digits: Digits, seed: int) -> list[Digits]:
        """Replace the training images and their distorted copies.

        Args:
            digits: The training images.
            seed: Decides the distortions.

        Returns:
            What is made of the images first, then of each copy.
        """
        passes = [Digits(self._precompute(digits.images, "training images"), digits.labels)]
        for number in range(1, self._augmented_passes + 1):
            images = self._distorted(digits.images, seed, number)
            title = f"training images, distorted copy {number} of {self._augmented_passes}"
            passes.append(Digits(self._precompute(images, title), digits.labels))
        return passes

    def _distorted(self, images: Tensor, seed: int, number: int) -> Tensor:
        assert self._augmentation is not None
        # A spawn key keeps these numbers apart from those of the loader, which have none.
        sequence = np.random.SeedSequence(seed, spawn_key=(number,))
        generator = Generator().manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> 1))
        warp = self._augmentation.draw(len(images), generator)
        parts = []
        for start in range(0, len(images), _CHUNK):
            rows = slice(start, start + _CHUNK)
            elastic = None if warp.elastic is None else warp.elastic[rows]
            parts.append(apply_warp(images[rows], Warp(warp.affine[rows], elastic)))
        return torch.cat(parts)
