"""Blur: by a pane of rough glass, and by a movement while the picture is taken."""

import numpy as np
from scipy.ndimage import gaussian_filter

from mnist_lightning.robustness.draws import Draws, Floats, Pixels, to_pixels, to_shares

#: Largest angle of a movement to the horizontal, either way, in degrees.
MOTION_ANGLE = 45.0


def glass_blur(
    images: Pixels, draws: Draws, sigma: float, distance: int, iterations: int
) -> Pixels:
    """Blur, shuffle neighbouring pixels, and blur again.

    In each iteration every pixel away from the border is exchanged, with probability one half,
    with one that is at most ``distance`` away along each axis, one pixel after the other.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Of these images.
        sigma: Standard deviation of the blur, in pixels; ImageNet-C takes 0.7 to 1.5.
        distance: Largest distance of an exchange along an axis; ImageNet-C takes 1 to 4.
        iterations: How often each pixel has its turn; ImageNet-C takes 1 to 3.
    """
    shares = _blurred(to_shares(images), sigma)
    size = images.shape[1]
    everyone = np.arange(len(images))
    for _ in range(iterations):
        swaps = draws.integers(0, 1, size, size)
        ways = draws.integers(-distance, distance, size, size, 2) * swaps[..., None]
        for row in range(size - distance - 1, distance - 1, -1):
            for column in range(size - distance - 1, distance - 1, -1):
                other_row = row + ways[:, row, column, 0]
                other_column = column + ways[:, row, column, 1]
                here = shares[:, row, column].copy()
                shares[:, row, column] = shares[everyone, other_row, other_column]
                shares[everyone, other_row, other_column] = here
    return to_pixels(_blurred(shares, sigma))


def motion_blur(images: Pixels, draws: Draws, length: int, sigma: float) -> Pixels:
    """Smear each image in a direction of its own, at most 45 degrees off the horizontal.

    Every pixel becomes the mean of those that lie behind it along the direction, weighted by half
    a Gaussian, as ImageMagick does it for ImageNet-C; beyond the border, the border's pixel counts.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Of these images.
        length: Number of steps of one pixel behind the pixel itself.
        sigma: Standard deviation of the Gaussian, in pixels; ImageNet-C takes 3 to 15.
    """
    angles = np.deg2rad(MOTION_ANGLE) * (2 * draws.uniform() - 1)
    weights = np.exp(-0.5 * (np.arange(length + 1) / sigma) ** 2)
    shares, size = to_shares(images), images.shape[1]
    places = np.arange(size)
    everyone = np.arange(len(images))[:, None, None]
    smeared = np.zeros_like(shares)
    for step, weight in enumerate(weights / weights.sum()):
        down = np.rint(step * np.sin(angles)).astype(np.int64)
        right = np.rint(step * np.cos(angles)).astype(np.int64)
        rows = np.clip(places + down[:, None], 0, size - 1)
        columns = np.clip(places + right[:, None], 0, size - 1)
        smeared += np.float32(weight) * shares[everyone, rows[:, :, None], columns[:, None, :]]
    return to_pixels(smeared)


def _blurred(shares: Floats, sigma: float) -> Floats:
    blurred: Floats = gaussian_filter(shares, (0, sigma, sigma), mode="nearest")
    return blurred
