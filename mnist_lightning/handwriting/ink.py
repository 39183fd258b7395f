"""How much ink is where, on paper that is unevenly lit."""

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_otsu

Invert = Literal["auto", "yes", "no"]
Floats = npt.NDArray[np.float64]

#: Contrast below this share of white to black is taken for a blank page.
_FAINT = 0.08


def find_ink(grey: npt.NDArray[np.floating], invert: Invert = "auto") -> Floats | None:
    """Remove the paper and its lighting.

    The paper is a quadratic surface fitted to what is not ink, refined by the local mean of it
    (normalised convolution), so that a gradient and a soft shadow go away.

    Args:
        grey: ``(H, W)``, 0 is black and 1 is white.
        invert: ``no`` for dark ink on light paper, ``yes`` for light on dark; ``auto`` takes what
            is fewer pixels, seen as the sign of the skewness around the lighting.

    Returns:
        float64, ``(H, W)``, 0 is paper and 1 is the ink's usual darkness; None where there is no
        ink: too faint, or not above the noise.
    """
    image = np.asarray(grey, dtype=np.float64)
    if min(image.shape) < 2:
        return None
    if max(image.shape) > 200:
        image = gaussian_filter(image, 0.8)
    everything = np.ones(image.shape, dtype=bool)
    if invert == "auto":
        rest = image - _surface(image, everything)
        rest -= np.median(rest)
        invert = "yes" if (rest**3).sum() > 0 else "no"
    if invert == "yes":
        image = 1.0 - image
    difference = _above_paper(image)
    noise = 1.4826 * float(np.median(np.abs(difference - np.median(difference))))
    if difference.max() < _FAINT:
        return None
    strong = difference[difference > max(threshold_otsu(difference), _FAINT / 2)]
    if strong.size == 0 or strong.mean() < max(_FAINT, 4.5 * noise):
        return None
    ink = (difference - 2 * noise) / max(float(np.median(strong)) - 2 * noise, 1e-6)
    return np.asarray(np.clip(ink, 0.0, 1.0))


def _above_paper(image: Floats) -> Floats:
    """How much darker than the paper each pixel is, dark ink on light paper."""
    paper = np.ones(image.shape, dtype=bool)
    for _ in range(4):
        difference = _surface(image, paper) - image
        spread = 1.4826 * np.median(np.abs(difference[paper] - np.median(difference[paper])))
        paper = difference < np.median(difference[paper]) + max(3 * spread, 0.03)
    sigma = max(image.shape) / 16
    weight = gaussian_filter(paper.astype(np.float64), sigma)
    local = gaussian_filter(np.where(paper, difference, 0.0), sigma) / np.maximum(weight, 1e-3)
    return np.asarray(difference - local)


def _surface(image: Floats, where: npt.NDArray[np.bool_]) -> Floats:
    """The quadratic surface that fits best, ``(H, W)``, from at most some 20,000 pixels."""
    rows, columns = (np.linspace(-1, 1, side) for side in image.shape)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    terms = [np.ones_like(x), x, y, x * x, x * y, y * y]
    step = max(1, int(np.sqrt(image.size / 20_000)))
    thin = (slice(None, None, step),) * 2
    chosen = where[thin]
    if chosen.sum() < 6 * len(terms):
        return np.full(image.shape, np.median(image))
    matrix = np.stack([term[thin][chosen] for term in terms], axis=1)
    factors = np.linalg.lstsq(matrix, image[thin][chosen], rcond=None)[0]
    return np.asarray(sum(f * term for f, term in zip(factors, terms, strict=True)))
