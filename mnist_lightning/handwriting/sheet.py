"""Finding the sheet of paper in a photograph that also shows a darker table."""

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import binary_erosion, grey_closing, grey_opening
from skimage.filters import threshold_otsu
from skimage.measure import label, regionprops
from skimage.morphology import convex_hull_image

from mnist_lightning.handwriting.ink import Mask

#: Long side of the small copy in which the sheet is searched.
_SIDE = 256
#: Width of the strokes that are removed first, as a share of the long side.
_STROKE = 0.08
#: A sheet is at least this share of the image in each direction, and not all of it.
_SMALLEST, _LARGEST = 0.35, 0.985
#: How convex a sheet is, and how much darker the table.
_SOLID, _CONTRAST = 0.93, 0.12
#: Darker marks than this, as a share of the brightness around them, are ink: then the dark part
#: is paper in a shadow.
_MARKED = 0.35


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
    if scale > 1 or min(height, width) * scale < 32:
        return None
    size = (round(width * scale), round(height * scale))
    image = Image.fromarray(np.asarray(grey, dtype=np.float32))
    small = np.asarray(image.resize(size, Image.Resampling.BOX))
    stroke = round(_STROKE * _SIDE)
    # Mode "nearest" continues a narrow strip of the table, so that it is not taken for a stroke.
    plain = grey_closing(small, (stroke, stroke), mode="nearest")
    plain = grey_opening(plain, (stroke, stroke), mode="nearest")
    if np.ptp(plain) < _CONTRAST:
        return None
    threshold = threshold_otsu(plain)
    hull = _largest(plain > threshold)
    if hull is None:
        return None
    dark = label(~hull | (small < threshold), connectivity=1)
    sheet = ~np.isin(dark, np.unique(dark[~hull]))
    if not _stands_out(small, plain, sheet):
        return None
    # The rim is in the shadow of the edge, or shows some of the table.
    inner = Image.fromarray(binary_erosion(sheet, iterations=2, border_value=1))
    return np.asarray(inner.resize((width, height), Image.Resampling.NEAREST), dtype=bool)


def _largest(bright: Mask) -> Mask | None:
    """Return the convex hull of the largest bright part, if it has the shape of a sheet."""
    regions = regionprops(label(bright, connectivity=1))
    if not regions:
        return None
    region = max(regions, key=lambda region: region.area)
    top, left, bottom, right = region.bbox
    sides = ((bottom - top) / bright.shape[0], (right - left) / bright.shape[1])
    if min(sides) < _SMALLEST or region.area > _LARGEST * bright.size or region.solidity < _SOLID:
        return None
    return np.asarray(convex_hull_image(region.label == label(bright, connectivity=1)))


def _stands_out(
    small: npt.NDArray[np.floating], plain: npt.NDArray[np.floating], sheet: Mask
) -> bool:
    """Whether the rest is darker, begins at an edge, and has no writing on it."""
    near = binary_erosion(sheet, iterations=3, border_value=1)
    inside = near & ~binary_erosion(near, iterations=4, border_value=1)
    far = binary_erosion(~sheet, iterations=3, border_value=1)
    outside = far & ~binary_erosion(far, iterations=4, border_value=1)
    if not inside.any() or not outside.any():
        return False
    # Both sides of the edge: a gradient or a soft shadow hardly differs there.
    if np.median(plain[inside]) - np.median(plain[outside]) < _CONTRAST:
        return False
    depth = plain[far] - small[far]
    # The grain of a dark table is deep for its brightness, but not for that of the paper.
    depth = np.minimum(depth / np.maximum(plain[far], 0.05), 2 * depth / np.median(plain[inside]))
    return bool(np.percentile(depth, 99) < _MARKED)
