"""Weather corruptions: brightness, fog and spatter."""

import numpy as np
from scipy.ndimage import gaussian_filter

from mnist_lightning.data.digits import Pixels
from mnist_lightning.robustness.draws import Draws, Floats, to_floats, to_pixels

#: Side of the map from which fog is cropped, as in ImageNet-C: fog is larger than the image.
FOG_SIZE = 256
# As many maps at a time as fit into a processor's cache.
FOG_IMAGES = 8
SPATTER_INK = 63 / 255
SPATTER_OPAQUE = 0.8


def brightness(images: Pixels, draws: Draws, amount: float) -> Pixels:
    """Brighten every pixel, so that the black background turns grey.

    Equal to the published code, up to one grey level: at severity 5 every value is halfway between
    two, and that code goes through the colour space HSV, whose last bit decides.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Unused; nothing is random.
        amount: The increase as a share of full ink, 0 to 1; ImageNet-C uses 0.1 to 0.5.
    """
    return to_pixels(to_floats(images) + np.float32(amount))


def fog(images: Pixels, draws: Draws, amount: float, decay: float) -> Pixels:
    """Add fog, and rescale the sum so that the brightest possible value stays full ink.

    Equal to the published code for the same random numbers, up to the rounding of float32.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Random numbers of these images, see :func:`plasma`.
        amount: Weight of the fog relative to the image, at least 0; MNIST-C uses 1.5 to 3.
        decay: Decay of the details of the fog, above 1; MNIST-C uses 2 to 1.4.
    """
    foggy = np.empty_like(images)
    height, width = images.shape[1:]
    for start in range(0, len(images), FOG_IMAGES):
        part = slice(start, start + FOG_IMAGES)
        values = to_floats(images[part])
        brightest = values.max(axis=(1, 2), keepdims=True)
        clouds = plasma(draws.part(part), decay)[:, :height, :width]
        kept = brightest / (brightest + np.float32(max(amount, 1e-9)))
        foggy[part] = to_pixels((values + np.float32(amount) * clouds) * (kept if amount else 1))
    return foggy


def plasma(draws: Draws, decay: float, size: int = FOG_SIZE) -> Floats:
    """Generate fractal clouds by midpoint displacement (diamond-square) on a torus.

    Fournier, Fussell and Carpenter: Computer Rendering of Stochastic Models (CACM 25, 1982).

    Args:
        draws: Random numbers, one cloud per image: on each level, for the centres of the squares,
            then for the middles of their horizontal and of their vertical sides.
        decay: The displacements shrink by ``decay`` squared from one level to the next.
        size: Side of the maps, a power of two.

    Returns:
        float32, ``(N, size, size)``, each map scaled to 0..1.
    """
    clouds = np.zeros((len(draws), 1, 1), np.float32)
    height = np.float32(1)
    while (points := clouds.shape[1]) < size:
        noise = draws.uniform(3, points, points)
        noise *= 2 * height
        noise -= height
        below, beside = _with_next(clouds, 1), _with_next(clouds, 2)
        centres = _with_next(below, 2) / np.float32(4) + noise[:, 0]
        finer = np.empty((len(draws), 2 * points, 2 * points), np.float32)
        finer[:, ::2, ::2] = clouds
        finer[:, 1::2, 1::2] = centres
        finer[:, ::2, 1::2] = (beside + _with_previous(centres, 1)) / 4 + noise[:, 1]
        finer[:, 1::2, ::2] = (below + _with_previous(centres, 2)) / 4 + noise[:, 2]
        clouds, height = finer, np.float32(height / decay**2)
    clouds -= clouds.min(axis=(1, 2), keepdims=True)
    clouds /= clouds.max(axis=(1, 2), keepdims=True)
    return clouds


def _with_next(values: Floats, axis: int) -> Floats:
    """Add the next value along an axis to each; the last one is followed by the first."""
    total: Floats = values + np.roll(values, -1, axis)
    return total


def _with_previous(values: Floats, axis: int) -> Floats:
    total: Floats = values + np.roll(values, 1, axis)
    return total


def spatter(
    images: Pixels,
    draws: Draws,
    mean: float,
    deviation: float,
    smoothing: float,
    level: float,
    blur: float,
) -> Pixels:
    """Cover parts of each image with opaque drops of dark grey mud.

    Equal to the published code for the same random numbers, up to the rounding of float32. That
    code draws mud at every severity, where ImageNet-C draws water at the first three.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Random numbers of these images: one per pixel.
        mean: Mean of the noise that is smoothed; MNIST-C uses 0.65 and, at severity 5, 0.67.
        deviation: Its standard deviation.
        smoothing: Standard deviation of the smoothing, in pixels.
        level: Smoothed noise above it is a drop.
        blur: Standard deviation of the blur at a drop's edge, in pixels.
    """
    liquid = mean + deviation * draws.normal(*images.shape[1:])
    liquid = gaussian_filter(liquid, (0, smoothing, smoothing), mode="nearest")
    mud = gaussian_filter((liquid > level).astype(np.float32), (0, blur, blur), mode="nearest")
    mud[mud < SPATTER_OPAQUE] = 0
    return to_pixels(to_floats(images) * (1 - mud) + SPATTER_INK * mud)
