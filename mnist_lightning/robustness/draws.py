"""Random numbers per image that do not depend on the rest of the batch."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numpy.random import Generator, Philox, SeedSequence

from mnist_lightning.data.digits import Pixels

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


class Draws:
    """Random numbers for a batch of images, each determined by (seed, name, index) alone.

    With one generator for a batch, the numbers of an image would depend on the images before it.
    Philox is a function of a key and a counter: the seed and the name make the key, the image's
    index is the highest word of the counter, so that no two images share a number.

    Args:
        seed: Seed of all corruptions, at least 0.
        name: Purpose of the numbers, e.g. ``fog``; different names give unrelated numbers.
        indices: int64, ``(N,)``, at least 0: the index of each image.
    """

    def __init__(self, seed: int, name: str, indices: Integers) -> None:
        key = SeedSequence([seed, *name.encode()]).generate_state(2, np.uint64)
        self._generators: Sequence[Generator] = [
            Generator(Philox(key=key, counter=[0, 0, 0, index])) for index in indices.tolist()
        ]

    def __len__(self) -> int:
        return len(self._generators)

    def part(self, images: slice) -> "Draws":
        """Return the draws of some of the images, with the state of their generators."""
        part = Draws.__new__(Draws)
        part._generators = self._generators[images]
        return part

    def uniform(self, *shape: int) -> Floats:
        """Draw uniform numbers from [0, 1), float32, ``(N, *shape)``."""
        drawn = np.empty((len(self), *shape), np.float32)
        for place, generator in enumerate(self._generators):
            drawn[place] = generator.random(shape, np.float32)
        return drawn

    def normal(self, *shape: int) -> Floats:
        """Draw from the standard normal distribution, float32, ``(N, *shape)``."""
        drawn = [g.standard_normal(shape, np.float32) for g in self._generators]
        return np.array(drawn, np.float32).reshape(len(self), *shape)

    def integers(self, low: int, high: int, *shape: int) -> Integers:
        """Draw integers from ``low`` to ``high``, both included, int64, ``(N, *shape)``."""
        drawn = [g.integers(low, high, shape, endpoint=True) for g in self._generators]
        return np.array(drawn, np.int64).reshape(len(self), *shape)

    def poisson(self, means: Floats) -> Floats:
        """Draw Poisson counts with the given means, float32, ``(N, ...)``."""
        drawn = [g.poisson(mean) for g, mean in zip(self._generators, means, strict=True)]
        return np.array(drawn, np.float32).reshape(means.shape)


def to_pixels(values: npt.NDArray[np.floating]) -> Pixels:
    """Convert values from 0 (background) to 1 (full ink) to uint8; others are clipped."""
    pixels: Pixels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return pixels


def to_floats(images: Pixels) -> Floats:
    """Convert pixels to float32 from 0 (background) to 1 (full ink)."""
    return images.astype(np.float32) / np.float32(255)
