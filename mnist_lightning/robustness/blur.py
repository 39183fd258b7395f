"""Blur corruptions: frosted glass and motion."""

import numpy as np
from scipy.ndimage import gaussian_filter

from mnist_lightning.data.digits import Pixels
from mnist_lightning.robustness.draws import Draws, Floats, to_floats, to_pixels

#: Largest angle between a motion and the horizontal, in degrees.
MOTION_ANGLE = 45.0


def glass_blur(
    images: Pixels, draws: Draws, sigma: float, distance: int, iterations: int
) -> Pixels:
    """Blur, exchange neighbouring pixels, and blur again.

    In each iteration, every pixel away from the border is exchanged with probability one half with
    one that is at most ``distance`` away along each axis, pixel by pixel.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Random numbers of these images.
        sigma: Standard deviation of the blur, in pixels; ImageNet-C uses 0.7 to 1.5.
        distance: Largest distance of an exchange along an axis; ImageNet-C uses 1 to 4.
        iterations: Number of iterations; ImageNet-C uses 1 to 3.
    """
    values = _blurred(to_floats(images), sigma)
    size = images.shape[1]
    every = np.arange(len(images))
    for _ in range(iterations):
        swaps = draws.integers(0, 1, size, size)
        offsets = draws.integers(-distance, distance, size, size, 2) * swaps[..., None]
        for row in range(size - distance - 1, distance - 1, -1):
            for column in range(size - distance - 1, distance - 1, -1):
                other_row = row + offsets[:, row, column, 0]
                other_column = column + offsets[:, row, column, 1]
                here = values[:, row, column].copy()
                values[:, row, column] = values[every, other_row, other_column]
                values[every, other_row, other_column] = here
    return to_pixels(_blurred(values, sigma))


def motion_blur(images: Pixels, draws: Draws, length: int, sigma: float) -> Pixels:
    """Smear each image in a direction of its own, at most 45 degrees off the horizontal.

    Every pixel becomes the mean of the pixels behind it along the direction, weighted by half a
    Gaussian, as ImageMagick does it for ImageNet-C; beyond the border, the border pixel is used.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Random numbers of these images.
        length: Number of steps of one pixel behind the pixel itself.
        sigma: Standard deviation of the Gaussian, in pixels; ImageNet-C uses 3 to 15.
    """
    angles = np.deg2rad(MOTION_ANGLE) * (2 * draws.uniform() - 1)
    weights = np.exp(-0.5 * (np.arange(length + 1) / sigma) ** 2)
    values, size = to_floats(images), images.shape[1]
    positions = np.arange(size)
    every = np.arange(len(images))[:, None, None]
    smeared = np.zeros_like(values)
    for step, weight in enumerate(weights / weights.sum()):
        down = np.rint(step * np.sin(angles)).astype(np.int64)
        right = np.rint(step * np.cos(angles)).astype(np.int64)
        rows = np.clip(positions + down[:, None], 0, size - 1)
        columns = np.clip(positions + right[:, None], 0, size - 1)
        smeared += np.float32(weight) * values[every, rows[:, :, None], columns[:, None, :]]
    return to_pixels(smeared)


def _blurred(values: Floats, sigma: float) -> Floats:
    blurred: Floats = gaussian_filter(values, (0, sigma, sigma), mode="nearest")
    return blurred
