"""The screenshots of the documents can be taken again, and show the present results."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

IMAGES = Path(__file__).parents[1] / "docs" / "images"
REASON = "Playwright is not installed"


@pytest.fixture(scope="module")
def screenshots() -> ModuleType:
    """The script, which is in no package."""
    pytest.importorskip("playwright.sync_api", reason=REASON)
    spec = importlib.util.spec_from_file_location("screenshots", IMAGES / "screenshots.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def share_of_ink(picture: Image.Image) -> float:
    """The share of the pixels that are dark; those of text are few."""
    histogram = picture.convert("L").histogram()
    return sum(histogram[:128]) / sum(histogram)


def pixels_near(picture: Image.Image, wanted: tuple[int, int, int]) -> int:
    """The number of pixels of a colour, or of one that cannot be told from it."""
    colours = np.asarray(picture).astype(int)
    return int((np.abs(colours - wanted).max(axis=-1) < 10).sum())


@pytest.mark.slow  # it starts the demo and a browser
def test_the_script_takes_a_picture_of_the_demo_and_of_the_verdict(
    screenshots: ModuleType, tmp_path: Path
) -> None:
    if screenshots.find_browser() is None:
        pytest.skip("there is no Chromium")

    screenshots.main(["--folder", str(tmp_path)])

    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.png", "verdict.png"]
    assert all(path.stat().st_size <= screenshots.MAX_BYTES for path in tmp_path.iterdir())
    demo, verdict = read(tmp_path / "demo.png"), read(tmp_path / "verdict.png")
    scale = screenshots.SCALE
    assert demo.size == tuple(side * scale for side in screenshots.DEMO_WINDOW)
    width, most = screenshots.VERDICT_WINDOW
    assert verdict.width == width * scale
    assert width * scale / 3 < verdict.height < most * scale
    for picture in (demo, verdict):
        assert 0.01 < share_of_ink(picture) < 0.2
        # In light mode, the corner is white.
        assert picture.getpixel((0, 0)) == (255, 255, 255)
    # A full bar means an answer that is sure. The first model's is blue.
    assert pixels_near(demo, (0, 114, 178)) > 3_000


def test_the_picture_of_the_verdict_shows_the_published_comparison(
    screenshots: ModuleType,
) -> None:
    shown = read(IMAGES / "verdict.png").info[screenshots.STAMP]

    assert shown == screenshots.stamp_of(screenshots.COMPARISON), (
        "take it again: python docs/images/screenshots.py"
    )
