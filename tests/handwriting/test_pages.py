"""Image files of every mode, PDFs, and files that are refused."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from drawn_pages import as_image, draw_page
from PIL import Image, ImageCms, TiffImagePlugin

from mnist_lightning.errors import DataError
from mnist_lightning.handwriting import pages
from mnist_lightning.handwriting.pages import read_pages
from mnist_lightning.handwriting.segment import find_digits


@pytest.fixture(scope="module")
def image() -> Image.Image:
    return as_image(draw_page(["37"]))


def _sixteen_bits(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image).astype(np.uint16) * 257)


# Without dithering, which would change the grey values.
_MADE = {
    "LAB": lambda image: ImageCms.profileToProfile(
        image.convert("RGB"),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    ),
    "I;16": _sixteen_bits,
    "P": lambda image: image.convert("RGB").quantize(64, dither=0),
}


@pytest.mark.parametrize("kind", ["L", "RGB", "RGBA", "LA", "P", "I;16", "CMYK", "YCbCr", "LAB"])
def test_every_mode_gives_the_same_grey_values(
    kind: str, image: Image.Image, tmp_path: Path
) -> None:
    converted = _MADE[kind](image) if kind in _MADE else image.convert("RGB").convert(kind)
    path = tmp_path / ("page.tif" if kind in {"CMYK", "YCbCr", "LAB"} else "page.png")
    # Without compression, Pillow before 13 writes a YCbCr file that it cannot read.
    converted.save(path, **({"compression": "tiff_lzw"} if path.suffix == ".tif" else {}))

    (grey,) = read_pages(path)

    assert grey.dtype == np.float32
    assert np.abs(grey - np.asarray(image) / 255).max() < 0.05


@pytest.mark.parametrize("shade", [0, 255])
def test_strokes_on_a_transparent_background_keep_their_contrast(
    shade: int, tmp_path: Path
) -> None:
    page = np.full((60, 60, 4), shade, dtype=np.uint8)
    page[:, :, 3] = 0
    page[20:40, 28:32, 3] = 255
    Image.fromarray(page).save(tmp_path / "drawn.png")

    (grey,) = read_pages(tmp_path / "drawn.png")

    assert abs(grey[30, 30] - grey[5, 5]) > 0.9


def test_the_exif_orientation_is_applied(image: Image.Image, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image.rotate(90, expand=True).save(tmp_path / "phone.jpg", exif=exif, quality=95)

    (grey,) = read_pages(tmp_path / "phone.jpg")

    assert grey.shape == (image.height, image.width)
    assert np.abs(grey - np.asarray(image) / 255).mean() < 0.02


@pytest.mark.parametrize("suffix", ["gif", "tif", "png", "heic"])
def test_each_frame_is_a_page(suffix: str, image: Image.Image, tmp_path: Path) -> None:
    if suffix == "heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    blank = [Image.new("RGB", image.size, 3 * (shade,)) for shade in (0, 255)]
    frames = [image.convert("RGB"), *blank]
    path = tmp_path / f"three.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])

    means = [page.mean() for page in read_pages(path)]

    assert len(means) == 3
    assert means[1] < 0.1 < 0.5 < means[0] < 0.95 < means[2]


def test_a_picture_with_a_preview_is_one_page(image: Image.Image, tmp_path: Path) -> None:
    small = image.resize((20, 20))
    image.save(tmp_path / "phone.mpo", save_all=True, append_images=[small])
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[254] = 1  # a smaller copy of another page
    with TiffImagePlugin.AppendingTiffWriter(str(tmp_path / "scan.tif"), True) as writer:
        image.save(writer, format="TIFF")
        writer.newFrame()
        small.save(writer, format="TIFF", tiffinfo=info)
        writer.newFrame()
    writer.isFirst = True  # Python 3.13 closes it again, when Pillow would write to a closed file
    with Image.open(tmp_path / "scan.tif") as scan:
        assert scan.n_frames == 2

    assert len(list(read_pages(tmp_path / "phone.mpo"))) == 1
    assert len(list(read_pages(tmp_path / "scan.tif"))) == 1


def test_more_than_fifty_frames_are_refused(tmp_path: Path) -> None:
    frames = [Image.new("L", (9, 9), shade) for shade in range(51)]
    frames[0].save(tmp_path / "many.tif", save_all=True, append_images=frames[1:])

    with pytest.raises(DataError, match=r"many\.tif: it has more than 50 pages; split it"):
        list(read_pages(tmp_path / "many.tif"))


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
@pytest.mark.parametrize("bits", [10, 12, 16])
def test_the_range_is_that_of_the_pixels_and_not_of_the_container(
    bits: int, suffix: str, image: Image.Image, tmp_path: Path
) -> None:
    grey = np.asarray(image) / 255
    path = tmp_path / f"deep.{suffix}"
    values = np.round(grey * (2**bits - 1)).astype(np.uint16)
    values[0, 0] = 65535 if suffix == "png" else values[0, 0]  # a dead pixel of the sensor
    Image.fromarray(values).save(path)

    (page,) = read_pages(path)

    assert np.abs(page - grey)[1:].max() < 0.01


@pytest.mark.parametrize("low", [0.0, -1.0])
@pytest.mark.parametrize("high", [1e-3, 1.0, 255.0, 1e6])
def test_floats_of_any_range_keep_their_contrast(
    low: float, high: float, image: Image.Image, tmp_path: Path
) -> None:
    grey = np.asarray(image, dtype=np.float32) / 255
    Image.fromarray((low + grey * (1 - low)) * np.float32(high)).save(tmp_path / "float.tif")

    (page,) = read_pages(tmp_path / "float.tif")

    assert len(find_digits(page)) == 2


def test_twelve_bits_of_colour_are_not_blank(image: Image.Image, tmp_path: Path) -> None:
    values = np.repeat(np.asarray(image, dtype=np.uint16)[..., np.newaxis] * 16, 3, axis=2)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    size = struct.pack(">IIBBBBB", image.width, image.height, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", size), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks:
        content += struct.pack(">I", len(data)) + kind + data
        content += struct.pack(">I", zlib.crc32(kind + data))
    (tmp_path / "deep.png").write_bytes(content)

    (page,) = read_pages(tmp_path / "deep.png")

    assert len(find_digits(page)) == 2


@pytest.mark.parametrize("bits", [8, 16])
def test_a_tiff_in_which_zero_is_white_is_not_inverted(
    bits: int, image: Image.Image, tmp_path: Path
) -> None:
    # Pillow inverts eight bits when it writes and when it reads, and sixteen never.
    deep = 65535 - np.asarray(image).astype(np.uint16) * 257
    written = image if bits == 8 else Image.fromarray(deep)
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[262] = 0
    written.save(tmp_path / "fax.tif", tiffinfo=info)
    with Image.open(tmp_path / "fax.tif") as saved:
        assert saved.tag_v2[262] == 0

    (page,) = read_pages(tmp_path / "fax.tif")

    assert np.abs(page - np.asarray(image) / 255).max() < 0.01


@pytest.mark.parametrize(
    ("paper", "pen"),
    [
        ((60, 130, 60), (200, 60, 60)),
        ((200, 60, 60), (60, 130, 60)),
        ((150, 40, 40), (40, 60, 215)),
        ((150, 150, 150), (250, 110, 60)),
    ],
)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_ink_of_the_paper_s_lightness_is_told_by_its_colour(
    paper: tuple[int, ...], pen: tuple[int, ...], suffix: str, image: Image.Image, tmp_path: Path
) -> None:
    ink = 1 - np.clip((np.asarray(image, dtype=float)[..., np.newaxis] - 40) / 195, 0, 1)
    pixels = np.array(paper) * (1 - ink) + np.array(pen) * ink
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"colour.{suffix}")

    (page,) = read_pages(tmp_path / f"colour.{suffix}")

    assert len(find_digits(page)) == 2
    assert page[image.height // 2, 2] - page.min() > 0.3


def test_a_damaged_exif_block_does_not_damage_the_picture(
    image: Image.Image, tmp_path: Path
) -> None:
    image.save(tmp_path / "phone.jpg", exif=b"Exif\0\0MM\0\x2a\xff\xff\xff\xff")

    assert len(list(read_pages(tmp_path / "phone.jpg"))) == 1


def test_sixteen_bits_are_turned_by_their_exif_orientation(
    image: Image.Image, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    _sixteen_bits(image.rotate(90, expand=True)).save(tmp_path / "deep.png", exif=exif.tobytes())
    with Image.open(tmp_path / "deep.png") as saved:
        saved.load()
        assert saved.getexif().get(0x0112) == 6

    (page,) = read_pages(tmp_path / "deep.png")

    assert np.abs(page - np.asarray(image) / 255).max() < 0.01


def test_a_pdf_with_a_password_is_named_as_such(tmp_path: Path) -> None:
    pypdfium2 = pytest.importorskip("pypdfium2")
    message = "Failed to load document (PDFium: Incorrect password error)."

    class Locked:
        def __init__(self, path: Path) -> None:
            raise pypdfium2.PdfiumError(message)

    (tmp_path / "secret.pdf").write_bytes(b"%PDF-1.7")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pypdfium2, "PdfDocument", Locked)
        with pytest.raises(DataError, match="has a password; save a copy without"):
            list(read_pages(tmp_path / "secret.pdf"))


def test_each_page_of_a_pdf_is_read(image: Image.Image, tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2")
    image.save(tmp_path / "two.pdf", save_all=True, append_images=[image])

    assert len(list(read_pages(tmp_path / "two.pdf"))) == 2


def test_heic_is_read(image: Image.Image, tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    image.convert("RGB").save(tmp_path / "phone.heic", quality=95)

    (grey,) = read_pages(tmp_path / "phone.heic")

    assert np.abs(grey - np.asarray(image) / 255).mean() < 0.03


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "not an image"), (b"hello", "not an image"), (b"%PDF-1.4", "PDF")],
)
def test_a_file_that_is_not_an_image_is_refused_by_name(
    content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "odd.png"
    path.write_bytes(content)

    with pytest.raises(DataError, match=rf"odd\.png.*{message}"):
        list(read_pages(path))


def test_a_truncated_image_is_refused_as_damaged(image: Image.Image, tmp_path: Path) -> None:
    image.save(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "half.png").write_bytes(content[: len(content) // 2])

    with pytest.raises(DataError, match=r"half\.png: the image is damaged"):
        list(read_pages(tmp_path / "half.png"))


@pytest.mark.parametrize("side", [9_000, 14_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(
    side: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1", (side, side)).save(tmp_path / "bomb.png")

    def decode(image: Image.Image) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr(pages, "to_grey", decode)
    with pytest.raises(DataError, match="megapixels"):
        list(read_pages(tmp_path / "bomb.png"))
