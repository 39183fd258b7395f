"""Random numbers that belong to an image, wherever in a batch it stands."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numpy.random import Generator, Philox, SeedSequence

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


class Draws:
    """Random numbers for a batch of images: those of each depend on (seed, name, index) alone.

    One generator for a whole batch would give an image other numbers when another stands before
    it. Philox is a function of a key and a counter: the seed and the name make the key, the
    image's index is the counter's highest word, so that no two images share a number.

    Args:
        seed: Seed of the whole study, at least 0.
        name: What the numbers are for, e.g. ``fog``; other names give unrelated numbers.
        indices: int64, ``(N,)``, at least 0: which image each one is.
    """

    def __init__(self, seed: int, name: str, indices: Integers) -> None:
        key = SeedSequence([seed, *name.encode()]).generate_state(2, np.uint64)
        self._generators: Sequence[Generator] = [
            Generator(Philox(key=key, counter=[0, 0, 0, index])) for index in indices.tolist()
        ]

    def __len__(self) -> int:
        return len(self._generators)

    def part(self, images: slice) -> "Draws":
        """Return the draws of some of the images; they go on where these are."""
        part = Draws.__new__(Draws)
        part._generators = self._generators[images]
        return part

    def uniform(self, *shape: int) -> Floats:
        """Draw numbers from 0 (included) to 1, float32, ``(N, *shape)``."""
        drawn = np.empty((len(self), *shape), np.float32)
        for place, generator in enumerate(self._generators):
            drawn[place] = generator.random(shape, np.float32)
        return drawn

    def normal(self, *shape: int) -> Floats:
        """Draw from the standard normal distribution, float32, ``(N, *shape)``."""
        drawn = np.empty((len(self), *shape), np.float32)
        for place, generator in enumerate(self._generators):
            drawn[place] = generator.standard_normal(shape, np.float32)
        return drawn

    def integers(self, low: int, high: int, *shape: int) -> Integers:
        """Draw whole numbers, both ends included, int64, ``(N, *shape)``."""
        drawn = np.empty((len(self), *shape), np.int64)
        for place, generator in enumerate(self._generators):
            drawn[place] = generator.integers(low, high, shape, endpoint=True)
        return drawn

    def poisson(self, means: Floats) -> Floats:
        """Draw counts, float32, with the given means, ``(N, ...)``."""
        drawn = np.empty(means.shape, np.float32)
        for place, generator in enumerate(self._generators):
            drawn[place] = generator.poisson(means[place])
        return drawn


def to_pixels(shares: npt.NDArray[np.floating]) -> Pixels:
    """Turn shares of full ink into pixels; what lies outside of 0 to 1 is cut off."""
    pixels: Pixels = np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)
    return pixels


def to_shares(images: Pixels) -> Floats:
    """Turn pixels into shares of full ink, 0 to 1."""
    return images.astype(np.float32) / np.float32(255)
