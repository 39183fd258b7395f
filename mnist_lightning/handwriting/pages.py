"""Decoding image files and PDF pages to grey values of a limited size.

Untrusted files can take any amount of time and memory here, so ``decoding`` runs this module in a
process of its own. It imports nothing heavier than NumPy and Pillow.
"""

import struct
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from mnist_lightning.errors import DataError
from mnist_lightning.handwriting.colour import LONG_SIDE, Grey, to_grey

#: Larger images are refused before they are decoded: 256 MB with four channels.
MAX_PIXELS = 64_000_000
#: Of a PDF, and of an image with several frames.
MAX_PAGES = 50

_HEIF = {".heic", ".heif"}
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, struct.error, IndexError, KeyError)
#: Formats whose other frames are previews, depth maps or layers of the same picture.
_ONE_PICTURE = {"MPO", "PSD"}
#: Tag of TIFF: 1 is a smaller copy of another page, 4 is a mask of one.
_SUBFILE = 254
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: No more than this many bytes come out of one byte of a PNG.
_DEFLATE = 1032


def read_pages(path: Path) -> Iterator[Grey]:
    """Read all frames of an image, or all pages of a PDF.

    Args:
        path: The file. Its EXIF orientation is applied.

    Yields:
        float32, ``(H, W)``, 0 is black and 1 is white, the long side at most 1600; see
        ``to_grey``.

    Raises:
        DataError: The file is missing, damaged, of another type, larger than 64 megapixels or of
            more than 50 pages, or the package that reads it is not installed.
    """
    if not path.is_file():
        reason = "this is not a regular file" if path.exists() else "there is no such file"
        raise DataError(f"{path}: {reason}; check its name.")
    with path.open("rb") as file:
        start = file.read(12)
    if start.startswith(b"%PDF-"):
        yield from _read_pdf(path)
        return
    if start[4:8] == b"ftyp" or path.suffix.lower() in _HEIF:
        _register_heif(path)
    yield from _read_image(path)


def _read_image(path: Path) -> Iterator[Grey]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata, and size, which is checked below
            with Image.open(path) as image:
                yield from _frames(path, image)
    except UnidentifiedImageError:
        raise DataError(f"{path}: this is not an image that can be read; save it as PNG.") from None
    except Image.DecompressionBombError:
        raise DataError(_too_large(path)) from None
    except MemoryError:
        raise DataError(f"{path}: decoding it takes too much memory; make it smaller.") from None
    except _DAMAGED as error:
        raise DataError(
            f"{path}: the image is damaged ({error!s:.80}); use an intact copy."
        ) from error


def _frames(path: Path, image: Image.Image) -> Iterator[Grey]:
    one_picture = image.format in _ONE_PICTURE
    frames = 1 if one_picture else int(getattr(image, "n_frames", 1))
    if frames > MAX_PAGES:
        raise DataError(_too_many(path))
    for number in range(frames):
        if number:
            image.seek(number)
        if getattr(image, "tag_v2", {}).get(_SUBFILE, 0) in {1, 4, 5}:
            continue
        # JPEG is decoded at a fraction of its size, in a fraction of the memory.
        image.draft(image.mode, (LONG_SIDE, LONG_SIDE))
        _check_size(path, image)
        page = to_grey(image)
        yield _turned(page, _orientation(image))


def _orientation(image: Image.Image) -> int:
    # A damaged EXIF block does not damage the picture.
    with suppress(*_DAMAGED, TypeError, ZeroDivisionError):
        # Pillow applies the orientation of a TIFF itself.
        if image.format != "TIFF":
            return int(image.getexif().get(_ORIENTATION, 1))
    return 1


def _turned(page: Grey, turn: int) -> Grey:
    if turn not in _TURNS:
        return page
    return np.asarray(Image.fromarray(page).transpose(_TURNS[turn]))


def _register_heif(path: Path) -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        # Pillow itself reads AVIF, whose files begin the same way.
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
            if len(document) > MAX_PAGES:
                raise DataError(_too_many(path))
            # Otherwise what is typed into the fields of a form is not drawn.
            document.init_forms()
            for page in document:
                # Scaled to the long side, whatever the size of the page.
                bitmap = page.render(scale=LONG_SIDE / max(*page.get_size(), 1.0))
                yield to_grey(bitmap.to_pil())
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise DataError(f"{path}: the PDF has a password; save a copy without.") from None
        raise DataError(f"{path}: the PDF is damaged ({error}); use an intact copy.") from error


def _check_size(path: Path, image: Image.Image) -> None:
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise DataError(_too_large(path))
    # A row takes at least a bit for each pixel.
    if image.format == "PNG" and pixels / 8 > _DEFLATE * path.stat().st_size:
        raise DataError(f"{path}: the image is damaged (it ends too early); use an intact copy.")


def _too_large(path: Path) -> str:
    return f"{path}: it has more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller."


def _too_many(path: Path) -> str:
    return f"{path}: it has more than {MAX_PAGES} pages; split it."
