"""Pages for the tests, drawn with the fonts that Matplotlib carries."""

from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def draw_page(rows: list[str], size: int = 80) -> np.ndarray:
    """Dark digits on light paper, float ``(H, W)``, 0 is black."""
    image = Image.new("L", (size * (1 + len(rows[0])), size * (1 + 2 * len(rows))), 235)
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(str(FONT), size)
    for row, text in enumerate(rows):
        for column, digit in enumerate(text):
            draw.text((size // 2 + size * column, size // 2 + 2 * size * row), digit, 40, font)
    return np.asarray(image) / 255


def as_image(page: np.ndarray) -> Image.Image:
    """The page as an 8-bit grey image."""
    return Image.fromarray((np.clip(page, 0, 1) * 255).astype(np.uint8))
