"""Reads image files and PDF pages as grey values of a limited size."""

import struct
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist_lightning.errors import DataError

#: Larger images are refused before they are decoded: 256 MB with four channels.
MAX_PIXELS = 64_000_000
MAX_PDF_PAGES = 50
#: Pages are scaled down to this long side; a digit needs only 20 pixels.
LONG_SIDE = 1600

_HEIF = {".heic", ".heif"}
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, struct.error, IndexError, KeyError)

Grey = npt.NDArray[np.float32]


def read_pages(path: Path) -> Iterator[Grey]:
    """Read an image, the first frame of an animation or all pages of a PDF.

    Args:
        path: The file. Its EXIF orientation is applied.

    Yields:
        float32, ``(H, W)``, 0 is black and 1 is white, the long side at most 1600. Transparent
        pixels become white, or black in a mostly transparent image with light ink.

    Raises:
        DataError: The file is missing, damaged, of another type or larger than 64 megapixels, or
            the package that reads it is not installed.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; check its name.")
    with path.open("rb") as file:
        is_pdf = file.read(5) == b"%PDF-"
    if is_pdf:
        yield from _read_pdf(path)
    else:
        yield _read_image(path)


def _read_image(path: Path) -> Grey:
    _register_heif(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata, and size, which is checked below
            with Image.open(path) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise Image.DecompressionBombError
                return to_grey(image)
    except UnidentifiedImageError:
        raise DataError(f"{path}: this is not an image that can be read; save it as PNG.") from None
    except Image.DecompressionBombError:
        limit = f"{MAX_PIXELS // 1_000_000} megapixels"
        raise DataError(f"{path}: it has more than {limit}; make it smaller.") from None
    except MemoryError:
        raise DataError(f"{path}: the image does not fit into memory; make it smaller.") from None
    except _DAMAGED as error:
        raise DataError(
            f"{path}: the image is damaged ({error!s:.80}); use an intact copy."
        ) from error


def to_grey(image: Image.Image) -> Grey:
    """Convert an opened image to grey values as ``read_pages`` yields them."""
    if image.mode in {"I", "F"} or image.mode.startswith("I;"):
        image = Image.fromarray(_eight_bits(np.asarray(image, dtype=np.float64)))
    image = ImageOps.exif_transpose(image)
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        image = _without_alpha(image.convert("RGBA"))
    image = image.convert("RGB").convert("L")
    image.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def _eight_bits(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Scale 16-bit, 32-bit and float pixels to 8 bits by the range that they use."""
    values = np.nan_to_num(values)
    top = next((limit for limit in (1.0, 255.0, 65535.0) if values.max() <= limit), values.max())
    return np.asarray(np.clip(values / top, 0, 1) * 255, dtype=np.uint8)


def _without_alpha(image: Image.Image) -> Image.Image:
    alpha = np.asarray(image.getchannel("A"), dtype=np.float32) / 255
    light = (np.asarray(image.convert("L")) * alpha).sum() / max(float(alpha.sum()), 1.0) > 127
    shade = 0 if light and alpha.mean() < 0.5 else 255
    paper = Image.new("RGBA", image.size, (shade, shade, shade, 255))
    return Image.alpha_composite(paper, image)


def _register_heif(path: Path) -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        if path.suffix.lower() in _HEIF:
            raise DataError(f"{path}: reading it needs `pip install pillow-heif`.") from None
    else:
        register_heif_opener()


def _read_pdf(path: Path) -> Iterator[Grey]:
    try:
        import pypdfium2
    except ImportError:
        raise DataError(f"{path}: reading it needs `pip install pypdfium2`.") from None
    try:
        with pypdfium2.PdfDocument(path) as document:
            if len(document) > MAX_PDF_PAGES:
                raise DataError(f"{path}: it has more than {MAX_PDF_PAGES} pages; split it.")
            for page in document:
                # Scaled to the long side, whatever the size of the page.
                bitmap = page.render(scale=LONG_SIDE / max(*page.get_size(), 1.0))
                yield to_grey(bitmap.to_pil())
    except pypdfium2.PdfiumError as error:
        raise DataError(f"{path}: the PDF is damaged ({error}); use an intact copy.") from error
