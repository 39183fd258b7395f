"""Separating ink from unevenly lit paper."""

from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import gaussian_filter, maximum_filter1d, minimum_filter1d
from skimage.filters import threshold_otsu
from skimage.measure import label

Invert = Literal["auto", "yes", "no"]
Ink = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Pages with less contrast, as a share of the range from black to white, count as blank.
_FAINT = 0.08
#: In a wedge of shadow at the border the paper is darker than this.
_WEDGE = 0.2
#: Tiles in each direction; a tile is much larger than a stroke is wide.
_TILES = 12
#: Paper that differs more than this from a smooth surface is in the shadow of something.
_STEP = 0.06


def find_ink(
    grey: npt.NDArray[np.floating], invert: Invert = "auto", sheet: Mask | None = None
) -> Ink | None:
    """Remove the paper and its lighting from an image.

    The paper is modelled as a quadratic surface fitted to the pixels without ink, plus their local
    mean (normalised convolution). This removes gradients and soft shadows. Where that does not
    suffice, because a shadow has an edge, a morphological closing removes the shadow first.

    Args:
        grey: ``(H, W)``, 0 is black and 1 is white.
        invert: ``no`` for dark ink on light paper, ``yes`` for light ink on dark paper; ``auto``
            decides that the smaller part of the pixels is ink, by the sign of the skewness after
            the lighting has been removed.
        sheet: ``(H, W)``, the pixels that belong to the sheet of paper; None for all.

    Returns:
        float64, ``(H, W)``, 0 is paper and 1 is the ink's typical darkness; None if there is no
        ink, because the contrast is too low or does not exceed the noise.
    """
    image = np.asarray(grey, dtype=np.float64)
    if min(image.shape) < 2:
        return None
    if max(image.shape) > 200:
        image = gaussian_filter(image, 0.8)
    where = np.ones(image.shape, dtype=bool) if sheet is None else sheet
    shaded = _is_shaded(image, where)
    if invert == "auto":
        rest = image - (_tile_medians(image) if shaded else _surface(image, where))
        rest = rest[where] - np.median(rest[where])
        invert = "yes" if (rest**3).sum() > 0 else "no"
    if invert == "yes":
        image = 1.0 - image
    if shaded:
        # Dividing by the paper's brightness removes a shadow, because a closing keeps its edge.
        image = image / np.maximum(_closed(image), 0.05)
    difference = np.where(where, _above_paper(image, where), 0.0)
    if shaded:
        difference[_at_border(difference > _WEDGE)] = 0.0
    noise = 1.4826 * float(np.median(np.abs(difference - np.median(difference))))
    if difference.max() < _FAINT:
        return None
    strong = difference[difference > max(threshold_otsu(difference), _FAINT / 2)]
    if strong.size == 0 or strong.mean() < max(_FAINT, 4.5 * noise):
        return None
    ink = (difference - 2 * noise) / max(float(np.median(strong)) - 2 * noise, 1e-6)
    return np.asarray(np.clip(ink, 0.0, 1.0))


def _above_paper(image: Ink, where: Mask) -> Ink:
    """Return how much darker than the paper each pixel is."""
    paper = where
    for _ in range(4):
        difference = _surface(image, paper) - image
        spread = 1.4826 * np.median(np.abs(difference[paper] - np.median(difference[paper])))
        limit = np.median(difference[paper]) + max(3 * spread, 0.03)
        paper = where & (difference < limit)
    sigma = max(image.shape) / 16
    weight = _blurred(paper.astype(np.float32), sigma)
    local = _blurred(np.where(paper, difference, 0.0), sigma) / np.maximum(weight, 1e-3)
    return np.asarray(difference - local)


def _blurred(values: npt.NDArray[np.floating], sigma: float) -> Ink:
    """Blur with a wide Gaussian, on a coarse grid, which takes a hundredth of the time."""
    step = max(1, int(sigma / 8))
    height, width = values.shape
    image = Image.fromarray(np.asarray(values, dtype=np.float32))
    small = np.asarray(image.resize((-(-width // step), -(-height // step)), Image.Resampling.BOX))
    blurred = Image.fromarray(gaussian_filter(small, sigma / step))
    return np.asarray(blurred.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float64)


def _surface(image: Ink, where: Mask) -> Ink:
    """Fit a quadratic surface to the pixels in ``where``, of which it uses about 20,000."""
    rows, columns = (np.linspace(-1, 1, side) for side in image.shape)
    y, x = rows[:, np.newaxis], columns[np.newaxis]
    terms = [np.ones_like(x), x, y, x * x, x * y, y * y]
    step = max(1, int(np.sqrt(image.size / 20_000)))
    thin = (slice(None, None, step),) * 2
    chosen = where[thin]
    if chosen.sum() < 6 * len(terms):
        return np.full(image.shape, np.median(image))
    whole = [np.broadcast_to(term, image.shape) for term in terms]
    matrix = np.stack([term[thin][chosen] for term in whole], axis=1)
    factors = np.linalg.lstsq(matrix, image[thin][chosen], rcond=None)[0]
    return np.asarray(sum(f * term for f, term in zip(factors, terms, strict=True)))


def _tile_medians(image: Ink) -> Ink:
    """Replace each pixel by the median of the tile that contains it."""
    result = np.empty_like(image)
    for rows in np.array_split(np.arange(image.shape[0]), _TILES):
        for columns in np.array_split(np.arange(image.shape[1]), _TILES):
            if len(rows) and len(columns):
                tile = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
                result[tile] = np.median(image[tile])
    return result


def _is_shaded(image: Ink, where: Mask) -> bool:
    """Whether a shadow with an edge falls on the paper."""
    step = max(1, max(image.shape) // 300)
    if min(image.shape) < 100:
        return False
    small, inside = image[::step, ::step], where[::step, ::step]
    # Without strokes, dark or light, evenly lit paper is smooth.
    return all(_roughness(_closed(side), inside) > _STEP for side in (small, 1.0 - small))


def _roughness(paper: Ink, where: Mask) -> float:
    return float(np.percentile(np.abs(paper - _surface(paper, where))[where], 95))


def _closed(image: Ink) -> Ink:
    """Fill what is darker and narrower than any shadow: the strokes."""
    size = min(image.shape) // 4
    for extremum in (maximum_filter1d, minimum_filter1d):
        for axis in (0, 1):
            image = extremum(image, size, axis=axis)
    return image


def _at_border(mask: Mask) -> Mask:
    """Select what touches the border, where a wedge of shadow is as narrow as a stroke."""
    labels = label(mask, connectivity=2)
    edges = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    return np.asarray(mask & np.isin(labels, np.concatenate(edges)))
