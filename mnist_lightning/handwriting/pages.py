"""Image files and PDF pages as grey values, whatever their mode, and never more than fits."""

import struct
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist_lightning.errors import DataError

#: Larger pictures are refused before they are unpacked: about 250 MB with four channels.
MAX_PIXELS = 64_000_000
MAX_PDF_PAGES = 50
#: What is looked for digits is not larger than this; a digit of it needs only 20 pixels.
LONG_SIDE = 1600

_HEIF = {".heic", ".heif"}
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, struct.error, IndexError, KeyError)

Grey = npt.NDArray[np.float32]


def read_pages(path: Path) -> Iterator[Grey]:
    """Read an image, or each page of a PDF; of an animation the first frame.

    Args:
        path: The file. Its EXIF orientation is honoured.

    Yields:
        float32, ``(H, W)``, 0 is black and 1 is white, the long side at most 1600. What is
        transparent becomes white, or black where mostly transparent pixels hold light ink.

    Raises:
        DataError: The file is missing, damaged, of another kind, or larger than 64 megapixels, or
            a package that reads it is not installed.
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
    _know_heif(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of size, which is judged below, and of odd metadata
            with Image.open(path) as image:
                _check_size(path, image.size)
                return to_grey(image)
    except UnidentifiedImageError:
        raise DataError(f"{path}: it is not an image that can be read; save it as PNG.") from None
    except Image.DecompressionBombError:
        raise DataError(_too_large(path)) from None
    except MemoryError:
        raise DataError(f"{path}: it does not fit into memory.") from None
    except _DAMAGED as error:
        raise DataError(
            f"{path}: it is a damaged image ({error!s:.80}); take a sound copy."
        ) from error


def to_grey(image: Image.Image) -> Grey:
    """Turn an opened image into grey values, see ``read_pages``."""
    if image.mode in {"I", "F"} or image.mode.startswith("I;"):
        image = Image.fromarray(_eight_bits(np.asarray(image, dtype=np.float64)))
    image = ImageOps.exif_transpose(image)
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        image = _without_alpha(image.convert("RGBA"))
    image = image.convert("RGB").convert("L")
    image.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def _eight_bits(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Scale 16-bit, 32-bit and float pixels by the range that they use."""
    values = np.nan_to_num(values)
    top = next((limit for limit in (1.0, 255.0, 65535.0) if values.max() <= limit), values.max())
    return np.asarray(np.clip(values / top, 0, 1) * 255, dtype=np.uint8)


def _without_alpha(image: Image.Image) -> Image.Image:
    alpha = np.asarray(image.getchannel("A"), dtype=np.float32) / 255
    light = (np.asarray(image.convert("L")) * alpha).sum() / max(float(alpha.sum()), 1.0) > 127
    shade = 0 if light and alpha.mean() < 0.5 else 255
    paper = Image.new("RGBA", image.size, (shade, shade, shade, 255))
    return Image.alpha_composite(paper, image)


def _know_heif(path: Path) -> None:
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
                raise DataError(f"{path}: it has more than {MAX_PDF_PAGES} pages; cut it.")
            for page in document:
                # Scaled to the long side, whatever size the page claims.
                bitmap = page.render(scale=LONG_SIDE / max(*page.get_size(), 1.0))
                yield to_grey(bitmap.to_pil())
    except pypdfium2.PdfiumError as error:
        raise DataError(f"{path}: it is a damaged PDF ({error}); take a sound copy.") from error


def _check_size(path: Path, size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise DataError(_too_large(path))


def _too_large(path: Path) -> str:
    return f"{path}: it has more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller."
