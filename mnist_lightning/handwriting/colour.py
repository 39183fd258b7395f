"""Turning decoded images of any mode into grey values, in little memory.

It runs in the process of ``decoding``, so it imports nothing heavier than NumPy and Pillow.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

#: Pages are scaled down to this long side; a digit needs only 20 pixels.
LONG_SIDE = 1600
#: Pixels that are converted at a time, so that a large image is not in memory several times.
_STRIP = 2_000_000
#: Tag of TIFF: 0 means that 0 is white.
_PHOTOMETRIC = 262
#: Modes whose values have more than eight bits.
_DEEP = ("I", "F")
#: Colours replace the brightness where they have this many times its contrast.
_COLOURFUL = 2.0

Grey = npt.NDArray[np.float32]


def to_grey(image: Image.Image) -> Grey:
    """Convert an opened image to grey values.

    The brightness is used unless a colour contrasts much more, as red ink on a green of the same
    lightness does.

    Args:
        image: An image of any of Pillow's modes.

    Returns:
        float32, ``(H, W)``, 0 is black and 1 is white, the long side at most 1600. Transparent
        pixels become white, or black in a mostly transparent image with light ink.
    """
    # Pillow keeps eight of sixteen bits of a colour; a camera may use only twelve of them.
    sixteen = any("16" in str(tile[3]) for tile in getattr(image, "tile", []))
    small = _shrunk(image)
    if small.mode == "F":
        grey = _scaled(np.asarray(small), bits=8)
        # Pillow inverts a TIFF in which 0 is white only if it has eight bits.
        return 1 - grey if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0 else grey
    if small.mode == "RGBa":
        small = _without_alpha(small.convert("RGBA"))
    pixels = np.asarray(small, dtype=np.float32)
    grey = pixels if pixels.ndim == 2 else _most_contrast(pixels)
    # Six bits of eight: an underexposed photograph.
    return _scaled(grey, bits=4 if sixteen else 6)


def _shrunk(image: Image.Image) -> Image.Image:
    """Scale an image to the long side, and convert it to L, RGB, RGBa or F, strip by strip."""
    image.load()
    width, height = image.size
    step = max(1, max(image.size) // (2 * LONG_SIDE))
    rows = max(1, _STRIP // (width * step)) * step
    strips = []
    for top in range(0, height, rows):
        strip = _simple(image.crop((0, top, width, min(top + rows, height))), image)
        strips.append(strip.reduce(step) if step > 1 else strip)
    size = (strips[0].width, sum(strip.height for strip in strips))
    whole = strips[0] if len(strips) == 1 else Image.new(strips[0].mode, size)
    for number, strip in enumerate(strips if len(strips) > 1 else []):
        whole.paste(strip, (0, number * strips[0].height))
    scale = LONG_SIDE / max(width, height)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        whole = whole.resize(size, Image.Resampling.LANCZOS)
    return whole


def _simple(strip: Image.Image, image: Image.Image) -> Image.Image:
    """Convert a part of an image to a mode that can be scaled."""
    mode = image.mode
    if mode in _DEEP or mode.startswith("I;"):
        return Image.fromarray(np.nan_to_num(np.asarray(strip, dtype=np.float32)))
    if mode == "LAB":
        return strip.getchannel("L")
    if "transparency" in image.info or mode in {"RGBA", "LA", "PA", "La", "RGBa"}:
        straight = {"La": "LA", "RGBa": "RGBA"}.get(mode, mode)
        return strip.convert(straight).convert("RGBA").convert("RGBa")
    return strip.convert("L" if mode in {"1", "L"} else "RGB")


def _scaled(values: npt.NDArray[np.floating], bits: int) -> Grey:
    """Scale values to 0 to 1 by the number of bits that all but a few bright pixels need.

    Args:
        values: Of any range; the container of twelve bits often has sixteen.
        bits: The fewest bits of whole numbers.
    """
    low = min(float(np.percentile(values, 0.1)), 0.0)
    top = float(np.percentile(values, 99.9)) - low
    if top > 2 or bool(np.all(values == np.round(values))):
        top = 2.0 ** max(bits, int(np.ceil(np.log2(top + 1)))) - 1
    else:
        top = 2.0 ** int(np.ceil(np.log2(max(top, 1e-12))))
    return np.asarray(np.clip((values - low) / top, 0, 1), dtype=np.float32)


def _most_contrast(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Project colours on the direction in which the ink differs from the paper.

    Args:
        pixels: ``(H, W, 3)``, red, green and blue.

    Returns:
        ``(H, W)``, the brightness unless the colours have much more contrast.
    """
    brightness = pixels @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    # Of the colours only: what differs from the brightness. Lighting is left out with it.
    colours = (pixels - brightness[..., np.newaxis]).reshape(-1, 3)
    thin = colours[:: max(1, len(colours) // 50_000)]
    middle = np.median(thin, axis=0)
    distance = np.linalg.norm(thin - middle, axis=1)
    far = thin[distance >= max(float(np.percentile(distance, 97)), 1.0)]
    if len(far) == 0:
        return brightness
    direction = far.mean(axis=0) - middle
    length = float(np.linalg.norm(direction))
    if length < 10:
        return brightness
    projected = (colours - middle) @ (direction / length)
    if _contrast(projected) < _COLOURFUL * _contrast(brightness.ravel()):
        return brightness
    # Ink is dark.
    return np.asarray(np.clip(255 - projected, 0, 255).reshape(brightness.shape))


def _contrast(values: npt.NDArray[np.floating]) -> float:
    """Return how far the rarest values are from the middle."""
    low, middle, high = np.percentile(values, [1, 50, 99])
    return float(max(high - middle, middle - low))


def _without_alpha(image: Image.Image) -> Image.Image:
    alpha = np.asarray(image.getchannel("A"), dtype=np.float32) / 255
    light = (np.asarray(image.convert("L")) * alpha).sum() / max(float(alpha.sum()), 1.0) > 127
    shade = 0 if light and alpha.mean() < 0.5 else 255
    paper = Image.new("RGBA", image.size, (shade, shade, shade, 255))
    return Image.alpha_composite(paper, image).convert("RGB")
