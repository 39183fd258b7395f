"""Noise corruptions: shot noise and impulse noise, and Gaussian noise for the sweep."""

import numpy as np

from mnist_lightning.data.digits import Pixels
from mnist_lightning.robustness.draws import Draws, to_floats, to_pixels


def shot_noise(images: Pixels, draws: Draws, photons: float) -> Pixels:
    """Replace each pixel by a photon count: Poisson noise, which keeps the background black.

    Equal to the published code for the same counts.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Random numbers of these images: one count per pixel.
        photons: Expected count at full ink, above 0; MNIST-C uses 60, 25, 12, 5 and 3.
    """
    return to_pixels(draws.poisson(to_floats(images) * np.float32(photons)) / photons)


def impulse_noise(images: Pixels, draws: Draws, amount: float) -> Pixels:
    """Set random pixels to black or to full ink, with equal probability.

    Of the same distribution as the published code, which draws two random numbers per pixel: one
    for whether it is replaced, one for its new value.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Random numbers of these images: one per pixel.
        amount: Share of the pixels that are replaced, 0 to 1; MNIST-C uses 0.03 to 0.27.
    """
    where = draws.uniform(*images.shape[1:])
    noisy = images.copy()
    noisy[where < amount / 2] = 0
    noisy[(where >= amount / 2) & (where < amount)] = 255
    return noisy


def gaussian_noise(images: Pixels, draws: Draws, deviation: float) -> Pixels:
    """Add normal noise to every pixel; used for the sweep, not part of MNIST-C.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Random numbers of these images.
        deviation: Standard deviation as a share of full ink, at least 0.
    """
    noise = draws.normal(*images.shape[1:])
    return to_pixels(to_floats(images) + np.float32(deviation) * noise)
