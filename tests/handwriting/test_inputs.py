"""Inputs that are digits already, small images, folders, and labels by folder."""

from pathlib import Path

import numpy as np
import pytest
from drawn_pages import as_image, draw_page
from PIL import Image
from sklearn.datasets import load_digits

from mnist_lightning.data.embedded import load_embedded
from mnist_lightning.handwriting.decoding import Decoder
from mnist_lightning.handwriting.inputs import expand, read_digits
from mnist_lightning.handwriting.prepare import read_small


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    """Twenty images of MNIST."""
    images: np.ndarray = load_embedded().train.images[:2000:100, 0].numpy()
    return images


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "1-channel TIFF"])
def test_an_image_of_mnist_goes_in_as_it_is(mode: str, digits: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / ("digit.tif" if "TIFF" in mode else "digit.png")
    with Decoder() as decoder:
        for image in digits:
            Image.fromarray(image).convert(mode if "TIFF" not in mode else "L").save(path)
            (found,) = read_digits(path, "auto", decoder)
            assert (found.pixels == image).all()


def test_an_inverted_image_of_mnist_is_inverted_and_not_prepared_again(digits: np.ndarray) -> None:
    for image in digits:
        assert (read_small((255 - image) / np.float32(255)) == image).all()


def test_an_explicit_inversion_beats_the_border(digits: np.ndarray) -> None:
    # A light digit on a dark background, but the user says that the ink is dark.
    pixels = read_small(digits[0] / np.float32(255), "no")

    assert pixels is None or not (pixels == digits[0]).all()


def test_an_image_of_28_pixels_that_is_not_like_mnist_is_prepared() -> None:
    page = np.full((28, 28), 0.9, dtype=np.float32)
    page[3:9, 4:6] = 0.1  # a small one in a corner

    pixels = read_small(page)

    assert pixels is not None
    rows = np.flatnonzero(pixels.max(axis=1))
    assert rows[-1] - rows[0] == 19
    assert abs((rows[0] + rows[-1]) / 2 - 13.5) <= 1


@pytest.mark.parametrize("light", [True, False])
def test_images_of_8_pixels_are_enlarged(light: bool) -> None:
    """The digits of scikit-learn; how they are classified is in the test of the command."""
    small = load_digits().images[:200] / np.float32(16)

    prepared = [read_small(image if light else 1 - image) for image in small]

    for pixels, image in zip(prepared, small, strict=True):
        assert pixels is not None
        assert pixels.max() == 255
        assert len(np.unique(pixels)) > 30, "it is anti-aliased"
        assert 0.5 < (pixels > 127).sum() / ((image > 0.5).sum() * (20 / 8) ** 2) < 2


@pytest.mark.parametrize("shape", [(28, 28), (8, 8), (1, 5)])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_small_blank_image_has_no_digit(shape: tuple[int, int], level: float) -> None:
    assert read_small(np.full(shape, level, dtype=np.float32)) is None


def test_folders_are_searched_below_and_datasets_in_them_are_kept(
    tiny_data_dir: Path, tmp_path: Path
) -> None:
    for name in ("b/deep/er/x.png", "b/a.png", ".hidden/y.png", "b/.z.png", "c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "data").mkdir()
    for file in tiny_data_dir.iterdir():
        (tmp_path / "data" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "b" / "circle").symlink_to(tmp_path)
    (tmp_path / "empty").mkdir()

    found = [str(path.relative_to(tmp_path)) for path in expand([tmp_path])]

    assert found == ["b/a.png", "b/deep/er/x.png", "c.png", "data"]
    assert list(expand([tmp_path / "empty"])) == [tmp_path / "empty"]


@pytest.mark.parametrize(("folder", "label"), [("7", 7), ("0", 0), ("10", None), ("seven", None)])
def test_the_folder_of_an_image_may_be_its_label(
    folder: str, label: int | None, tmp_path: Path
) -> None:
    (tmp_path / folder).mkdir()
    as_image(draw_page(["7"])).save(tmp_path / folder / "seven.png")

    (digit,) = read_digits(tmp_path / folder / "seven.png", "auto")

    assert digit.label == label
