"""Finding the sheet of paper in a photograph that also shows a darker table."""

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import binary_erosion, grey_closing, grey_opening, morphological_gradient
from skimage.measure import label, regionprops
from skimage.morphology import convex_hull_image

from mnist_lightning.handwriting.ink import Mask

#: Long side of the small copy in which the sheet is searched.
_SIDE = 256
#: Width of the strokes that are removed first, in pixels of that copy.
_STROKE = 21
#: A sheet is at least this share of the image in each direction, and this convex.
_SMALLEST, _SOLID = 0.35, 0.93
#: How much darker the table is at the edge of the sheet. A gradient is less steep than that.
_CONTRAST = 0.12
#: Darker marks than this, as a share of the brightness around them, are ink: then the dark part
#: is paper in a shadow.
_MARKED = 0.35

_Small = npt.NDArray[np.floating]


def find_sheet(grey: npt.NDArray[np.floating]) -> Mask | None:
    """Find a sheet of light paper on a darker background.

    Args:
        grey: ``(H, W)``, 0 is black and 1 is white.

    Returns:
        ``(H, W)``, True for the pixels of the sheet without a narrow margin; None if the whole
        image is paper, or if no part of it looks like a sheet.
    """
    height, width = grey.shape
    scale = _SIDE / max(height, width)
    if scale > 1 or min(height, width) * scale < 2 * _STROKE:
        return None
    size = (round(width * scale), round(height * scale))
    image = Image.fromarray(np.asarray(grey, dtype=np.float32))
    small = np.asarray(image.resize(size, Image.Resampling.BOX))
    # Mode "nearest" continues a narrow strip of the table, so that it is not taken for a stroke.
    plain = grey_closing(small, (_STROKE, _STROKE), mode="nearest")
    plain = grey_opening(plain, (_STROKE, _STROKE), mode="nearest")
    for hull in _candidates(plain):
        if _stands_out(small, plain, hull):
            # The rim is in the shadow of the edge, or shows some of the table.
            inner = Image.fromarray(binary_erosion(hull, iterations=2, border_value=1))
            return np.asarray(inner.resize((width, height), Image.Resampling.NEAREST), dtype=bool)
    return None


def _candidates(plain: _Small) -> list[Mask]:
    """Return the smooth parts of the image that have the shape of a sheet, the brightest first."""
    parts = label(morphological_gradient(plain, 3) < _CONTRAST / 3, connectivity=1)
    found = []
    for part in regionprops(parts, intensity_image=plain):
        top, left, bottom, right = part.bbox
        sides = ((bottom - top) / plain.shape[0], (right - left) / plain.shape[1])
        if min(sides) >= _SMALLEST and part.solidity >= _SOLID:
            found.append((part.intensity_mean, part.label))
    return [convex_hull_image(parts == number) for _, number in sorted(found, reverse=True)]


def _stands_out(small: _Small, plain: _Small, sheet: Mask) -> bool:
    """Whether the rest is darker, begins at an edge, and has no writing on it."""
    inside = sheet & ~binary_erosion(sheet, iterations=4, border_value=1)
    far = binary_erosion(~sheet, iterations=4, border_value=1)
    outside = far & ~binary_erosion(far, iterations=4, border_value=1)
    if not inside.any() or not outside.any():
        return False
    if np.median(plain[inside]) - np.median(plain[outside]) < _CONTRAST:
        return False
    depth = plain[far] - small[far]
    # The grain of a dark table is deep for its brightness, but not for that of the paper.
    depth = np.minimum(depth / np.maximum(plain[far], 0.05), 2 * depth / np.median(plain[inside]))
    return bool(np.percentile(depth, 99) < _MARKED)
