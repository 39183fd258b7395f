"""Noise of sensors: counts, defects, and the Gaussian noise of the severity sweep."""

import numpy as np

from mnist_lightning.robustness.draws import Draws, Pixels, to_pixels, to_shares


def shot_noise(images: Pixels, draws: Draws, photons: float) -> Pixels:
    """Let each pixel be a count of photons: Poisson noise, which leaves the background black.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Of these images.
        photons: Expected count at full ink, above 0; ImageNet-C takes 60, 25, 12, 5 and 3.
    """
    return to_pixels(draws.poisson(to_shares(images) * np.float32(photons)) / photons)


def impulse_noise(images: Pixels, draws: Draws, amount: float) -> Pixels:
    """Set pixels to black or to full ink, either with the same probability.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Of these images.
        amount: Share of the pixels that are replaced, 0 to 1; ImageNet-C takes 0.03 to 0.27.
    """
    where = draws.uniform(*images.shape[1:])
    noisy = images.copy()
    noisy[where < amount / 2] = 0
    noisy[(where >= amount / 2) & (where < amount)] = 255
    return noisy


def gaussian_noise(images: Pixels, draws: Draws, deviation: float) -> Pixels:
    """Add normal noise to every pixel, background included; not one of the fifteen.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Of these images.
        deviation: Standard deviation as a share of full ink, at least 0.
    """
    noise = draws.normal(*images.shape[1:])
    return to_pixels(to_shares(images) + np.float32(deviation) * noise)
