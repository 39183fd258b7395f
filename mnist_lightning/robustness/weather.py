"""Weather in front of the lens: brightness, fog, spatters."""

import numpy as np
from scipy.ndimage import gaussian_filter

from mnist_lightning.robustness.draws import Draws, Floats, Pixels, to_pixels, to_shares

#: Side of the map that fog is cut from, as in ImageNet-C: fog is larger than the picture.
FOG_SIZE = 256
# As many maps at a time as stay in a processor's cache.
FOG_IMAGES = 8
SPATTER_INK = 63 / 255
SPATTER_OPAQUE = 0.8


def brightness(images: Pixels, draws: Draws, amount: float) -> Pixels:
    """Add to every pixel, so that the black background turns grey.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Not used: nothing is random.
        amount: What is added, as a share of full ink, 0 to 1; ImageNet-C takes 0.1 to 0.5.
    """
    return to_pixels(to_shares(images) + np.float32(amount))


def fog(images: Pixels, draws: Draws, amount: float, decay: float) -> Pixels:
    """Add a cloud, and scale the sum so that the brightest ink stays possible.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Of these images.
        amount: Weight of the fog against the image, at least 0; ImageNet-C takes 1.5 to 3.
        decay: How fast details lose weight, above 1; ImageNet-C takes 2 to 1.4.
    """
    foggy = np.empty_like(images)
    height, width = images.shape[1:]
    for start in range(0, len(images), FOG_IMAGES):
        part = slice(start, start + FOG_IMAGES)
        shares = to_shares(images[part])
        brightest = shares.max(axis=(1, 2), keepdims=True)
        clouds = plasma(draws.part(part), decay)[:, :height, :width]
        kept = brightest / (brightest + np.float32(max(amount, 1e-9)))
        foggy[part] = to_pixels((shares + np.float32(amount) * clouds) * (kept if amount else 1))
    return foggy


def plasma(draws: Draws, decay: float, size: int = FOG_SIZE) -> Floats:
    """Make clouds by midpoint displacement, the diamond-square algorithm, on a torus.

    Fournier, Fussell and Carpenter: Computer Rendering of Stochastic Models (CACM 25, 1982).

    Args:
        draws: One cloud for each image.
        decay: From one level to the next, displacements shrink by ``decay`` squared.
        size: Side of the maps, a power of two.

    Returns:
        float32, ``(N, size, size)``, each map from 0 to 1.
    """
    clouds = np.zeros((len(draws), size, size), np.float32)
    step, height = size, 1.0
    while step > 1:
        half, points = step // 2, size // step
        noise = np.float32(height) * (2 * draws.uniform(3, points, points) - 1)
        corners = clouds[:, ::step, ::step]
        below, beside = np.roll(corners, -1, 1), np.roll(corners, -1, 2)
        centres = (corners + below + beside + np.roll(below, -1, 2)) / 4 + noise[:, 0]
        clouds[:, half::step, half::step] = centres
        clouds[:, ::step, half::step] = (
            corners + beside + centres + np.roll(centres, 1, 1)
        ) / 4 + noise[:, 1]
        clouds[:, half::step, ::step] = (
            corners + below + centres + np.roll(centres, 1, 2)
        ) / 4 + noise[:, 2]
        step, height = half, height / decay**2
    clouds -= clouds.min(axis=(1, 2), keepdims=True)
    clouds /= clouds.max(axis=(1, 2), keepdims=True)
    return clouds


def spatter(images: Pixels, draws: Draws, drops: tuple[float, float, float], blur: float) -> Pixels:
    """Cover parts of each image with opaque drops of dark grey mud.

    Args:
        images: uint8, ``(N, 28, 28)``.
        draws: Of these images.
        drops: Standard deviation of the noise before it is smoothed (its mean is 0.65), width of
            the smoothing in pixels, and the level above which it is a drop.
        blur: Width of a drop's edge, in pixels.
    """
    deviation, smoothing, level = drops
    liquid = 0.65 + deviation * draws.normal(*images.shape[1:])
    liquid = gaussian_filter(liquid, (0, smoothing, smoothing), mode="nearest")
    mud = gaussian_filter((liquid > level).astype(np.float32), (0, blur, blur), mode="nearest")
    mud[mud < SPATTER_OPAQUE] = 0
    return to_pixels(to_shares(images) * (1 - mud) + SPATTER_INK * mud)
