"""Takes the screenshots of the documents: ``python docs/images/screenshots.py``.

Needs an installed Chromium or Chrome and the ``test`` extra. Take them again when the published
results or the pages have changed.
"""

import hashlib
import math
import re
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "output" / "published"
COMPARISON = PUBLISHED / "model_comparison.html"
#: The small models, which the repository contains and every machine loads at once.
MODELS = ("cnn_robust", "cnn", "cnn_fast")
#: Width and height of the windows in CSS pixels; what is below is not in the picture.
DEMO_WINDOW, VERDICT_WINDOW = (1360, 750), (1100, 1200)
#: Pixels of a picture for one CSS pixel: GitHub shows it smaller, but many screens have two each.
SCALE = 1.5
#: Text in grey, and a few colours, need no more.
COLOURS = 32
MAX_BYTES = 150_000
#: The key in the metadata of ``verdict.png`` whose value tells whether it shows the present page.
STAMP = "Page"


def main(argv: Sequence[str] | None = None) -> None:
    """Write ``demo.png`` and ``verdict.png``.

    Args:
        argv: The arguments of the command line; None means those of the process.

    Raises:
        SystemExit: There is no browser, the demo does not start, or a picture is too large.
    """
    parser = ArgumentParser(description="Take the screenshots of the documents.")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent, help="where to")
    folder = parser.parse_args(argv).folder
    program = find_browser()
    if program is None:
        raise SystemExit("there is no Chromium or Chrome: install one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-background-networking"]
        )
        with demo() as url, window(browser, *DEMO_WINDOW) as page:
            page.goto(url)
            draw_three(page)
            page.locator("#verdict", has_text=re.compile(r": 3\.$")).wait_for()
            save(page.screenshot(), folder / "demo.png")
        with window(browser, *VERDICT_WINDOW) as page:
            page.goto(COMPARISON.as_uri())
            save(above(page, "nav"), folder / "verdict.png", stamp_of(COMPARISON))
        browser.close()


def find_browser() -> str | None:
    """Return the path of an installed Chromium or Chrome."""
    return shutil.which("chromium") or shutil.which("google-chrome")


def stamp_of(page: Path) -> str:
    """Return the SHA-256 of a page's text, whatever the line endings of the checkout."""
    return hashlib.sha256(page.read_text(encoding="utf-8").encode()).hexdigest()


@contextmanager
def demo() -> Iterator[str]:
    """Serve the published models on a free port, by the command of users, and yield the URL."""
    command = [sys.executable, str(ROOT / "scripts" / "demo.py"), "--port", "0", "--no_browser"]
    command += ["--output_dir", str(PUBLISHED), "--model", *MODELS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            if found is None:
                raise SystemExit("the demo did not start: see the message above")
            yield found[0]
        finally:
            server.terminate()


@contextmanager
def window(browser: Browser, width: int, height: int) -> Iterator[Page]:
    """Open a window in light mode; the size is in CSS pixels."""
    page = browser.new_page(
        viewport={"width": width, "height": height},
        device_scale_factor=SCALE,
        color_scheme="light",
        reduced_motion="reduce",
    )
    yield page
    page.close()


def draw_three(page: Page) -> None:
    """Draw a 3 with the mouse: an arc above another one, each open to the left."""
    page.wait_for_selector(".strip button")
    box = page.locator("#paper").bounding_box()
    assert box is not None
    arcs = (((0.47, 0.33), (0.16, 0.155), (-150, 80)), ((0.47, 0.665), (0.19, 0.18), (-80, 150)))
    points = [
        (x + across * math.cos(math.radians(angle)), y + down * math.sin(math.radians(angle)))
        for (x, y), (across, down), (start, end) in arcs
        for angle in range(start, end + 1, 10)
    ]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()


def above(page: Page, selector: str) -> bytes:
    """Take a picture of the part of a window that is above an element."""
    box = page.locator(selector).bounding_box()
    size = page.viewport_size
    assert box is not None
    assert size is not None
    return page.screenshot(clip={"x": 0, "y": 0, "width": size["width"], "height": box["y"]})


def save(screenshot: bytes, path: Path, stamp: str = "") -> None:
    """Write a screenshot as a small PNG."""
    picture = Image.open(BytesIO(screenshot)).convert("RGB")
    about = PngInfo()
    if stamp:
        about.add_text(STAMP, stamp)
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True, pnginfo=about)
    if path.stat().st_size > MAX_BYTES:
        raise SystemExit(f"{path} has {path.stat().st_size:,} bytes, more than {MAX_BYTES:,}")
    print(f"Written: {path}")


if __name__ == "__main__":
    main()
