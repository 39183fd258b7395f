"""Image files of every mode, PDFs, and files that are refused."""

from pathlib import Path

import numpy as np
import pytest
from drawn_pages import as_image, draw_page
from PIL import Image

from mnist_lightning.errors import DataError
from mnist_lightning.handwriting import pages
from mnist_lightning.handwriting.pages import read_pages


@pytest.fixture(scope="module")
def image() -> Image.Image:
    return as_image(draw_page(["37"]))


def _sixteen_bits(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image).astype(np.uint16) * 257)


# Without dithering, which would change the grey values.
_MADE = {"I;16": _sixteen_bits, "P": lambda image: image.convert("RGB").quantize(64, dither=0)}


@pytest.mark.parametrize("kind", ["L", "RGB", "RGBA", "LA", "P", "I;16", "CMYK"])
def test_every_mode_gives_the_same_grey_values(
    kind: str, image: Image.Image, tmp_path: Path
) -> None:
    converted = _MADE[kind](image) if kind in _MADE else image.convert("RGB").convert(kind)
    path = tmp_path / ("page.tif" if kind == "CMYK" else "page.png")
    converted.save(path)

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


def test_an_animation_gives_its_first_frame(image: Image.Image, tmp_path: Path) -> None:
    blank = Image.new("L", image.size, 0)
    image.save(tmp_path / "moving.gif", save_all=True, append_images=[blank])

    (grey,) = read_pages(tmp_path / "moving.gif")

    assert grey.mean() > 0.5


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
