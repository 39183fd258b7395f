"""Accuracy on digits from outside MNIST, and rejection of images without digits.

    python -m benchmarks.handwriting --fonts PATH... [--models PATH...]

Pages with two rows of digits are drawn with handwriting fonts: several pen widths, uneven light,
noise, a slight perspective. A page on which not exactly ten digits are found counts as ten errors.
The digits of scikit-learn (UCI, 8 x 8 pixels) are enlarged; they come from other writers, another
scanner and a much lower resolution, so they measure a domain shift. Letters, noise and blank pages
should get no answer.
"""

import argparse
import string
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from skimage.filters import gaussian
from skimage.transform import resize
from sklearn.datasets import load_digits

from benchmarks.harness import print_machine, write_result
from mnist_lightning.export.trained_model import TrainedModel, load_trained
from mnist_lightning.handwriting.prepare import prepare_digit
from mnist_lightning.handwriting.segment import find_digits

#: The study's network, and the one that `predict.py` reads with.
MODELS = [
    Path("output/published", f"{name}_model.pt") for name in ("custom_cnn", "custom_cnn_robust")
]
PAGE = (900, 500)
PENS = (0, 2, 4)  # how much wider than the font's own stroke, in pixels
# Without letters that look like a digit.
LETTERS = "".join(sorted(set(string.ascii_letters) - set("OolIiBSsZzqgbDQTtJj")))


def draw_page(
    rows: list[str], font: ImageFont.FreeTypeFont, pen: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw a page like a photograph, float ``(500, 900)``, 0 is black."""
    image = Image.new("L", PAGE, 235)
    draw = ImageDraw.Draw(image)
    for row, text in enumerate(rows):
        for column, character in enumerate(text):
            place = (100 + 165 * column + int(rng.integers(-12, 13)), 140 + 210 * row)
            draw.text(place, character, font=font, fill=50, stroke_width=pen, anchor="mm")
    tilt = rng.uniform(-0.02, 0.02, 6)
    shape = (1 + tilt[0], tilt[1], 0, tilt[2], 1 + tilt[3], 0, tilt[4] / 900, tilt[5] / 900)
    image = image.transform(
        PAGE, Image.Transform.PERSPECTIVE, shape, Image.Resampling.BICUBIC, fillcolor=235
    )
    light = np.linspace(*rng.uniform(0.55, 1.0, 2), PAGE[0]) * np.linspace(
        *rng.uniform(0.8, 1.0, 2), PAGE[1]
    ).reshape(-1, 1)
    page = np.asarray(image) / 255 * light + rng.normal(0, 0.02, PAGE[::-1])
    return np.asarray(np.clip(page, 0, 1))


def measure(model: TrainedModel, images: np.ndarray, labels: np.ndarray | None) -> dict[str, Any]:
    """Classify prepared digits: count the answers and, with labels, the correct ones."""
    if len(images) == 0:
        return {"images": 0, "answered": 0}
    probabilities = model.probabilities(torch.from_numpy(images).unsqueeze(1))
    sure = model.answers(probabilities)
    result = {"images": len(images), "answered": int(sure.sum())}
    if labels is None:
        return {**result, "rejected": round(1 - result["answered"] / len(images), 4)}
    right = probabilities.argmax(axis=1) == labels
    return {
        **result,
        "accuracy": round(float(right.mean()), 4),
        "coverage": round(float(sure.mean()), 4),
        "accuracy_among_answered": round(float(right[sure].mean()), 4) if sure.any() else None,
    }


def digit_pages(model: TrainedModel, fonts: list[Path], seed: int) -> dict[str, Any]:
    """Measure pages of digits, per font and in total."""
    rng = np.random.default_rng(seed)
    by_font, all_pixels, all_labels, lost, pages = {}, [], [], 0, 0
    for path in fonts:
        pixels, labels, lost_here = [], [], 0
        for pen in PENS:
            text = "".join(map(str, rng.permutation(10)))
            page = draw_page([text[:5], text[5:]], ImageFont.truetype(path, 130), pen, rng)
            found = find_digits(page)
            pages += 1
            if len(found) != 10:
                lost_here += 1
                continue
            pixels += [digit.pixels for digit in found]
            labels += map(int, text)
        lost += lost_here
        here = measure(model, np.array(pixels), np.array(labels))
        by_font[path.name] = {"pages_cut_wrongly": lost_here, **here}
        all_pixels += pixels
        all_labels += labels
    total = measure(model, np.array(all_pixels), np.array(all_labels))
    end_to_end = round(total.get("accuracy", 0) * total["images"] / (10 * pages), 4)
    total = {"pages": pages, "pages_cut_wrongly": lost, "accuracy_end_to_end": end_to_end, **total}
    return {"total": total, "by_font": by_font}


def letters(model: TrainedModel, fonts: list[Path], seed: int) -> dict[str, Any]:
    """Measure pages of letters that do not look like digits."""
    rng = np.random.default_rng(seed)
    pixels = []
    for path in fonts:
        text = "".join(rng.permutation(list(LETTERS)))
        page = draw_page([text[:5], text[5:10]], ImageFont.truetype(path, 130), 2, rng)
        pixels += [digit.pixels for digit in find_digits(page)]
    return {"letters": LETTERS, **measure(model, np.array(pixels), None)}


def noise(model: TrainedModel, seed: int) -> dict[str, Any]:
    """Measure grainy and blotchy noise images, and blank pages from the page to the answer."""
    rng = np.random.default_rng(seed)
    grain = rng.integers(0, 256, (500, 28, 28)).astype(np.uint8)
    blots = [gaussian(rng.random((100, 100)), 6) for _ in range(500)]
    prepared = np.array([prepare_digit((b > np.quantile(b, 0.75)).astype(float)) for b in blots])
    blank = [np.clip(0.8 + rng.normal(0, 0.03, (400, 300)), 0, 1) for _ in range(50)]
    shaded = [page * np.linspace(0.5, 1, 300) for page in blank]
    found = sum(bool(find_digits(page)) for page in blank + shaded)
    return {
        "grain_28x28": measure(model, grain, None),
        "blots": measure(model, prepared, None),
        "blank_pages": {"pages": 100, "with_something_found": found, "rejected": 1 - found / 100},
    }


def uci(model: TrainedModel) -> dict[str, Any]:
    """Measure the 1,797 digits of scikit-learn, enlarged to 160 x 160 pixels."""
    bunch = load_digits()
    large = [resize(image / 16, (160, 160), order=3, mode="constant") for image in bunch.images]
    return measure(model, np.array([prepare_digit(image) for image in large]), bunch.target)


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--fonts", type=Path, nargs="+", required=True)
    parser.add_argument(
        "--models", type=Path, nargs="+", default=MODELS, help="exported files with their records"
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print_machine()
    fonts = sorted(arguments.fonts, key=lambda path: path.name)
    models = {path.name: measure_model(path, fonts, arguments.seed) for path in arguments.models}
    for name, parts in models.items():
        for part, found in parts.items():
            print(name, part, found)
    names = [" ".join(ImageFont.truetype(path).getname()) for path in fonts]
    write_result("handwriting", {"fonts": names, "models": models})


def measure_model(path: Path, fonts: list[Path], seed: int) -> dict[str, Any]:
    """Measure one exported model on all images."""
    model = load_trained(path)
    rule = model.rejection
    return {
        "threshold": rule.threshold if rule else None,
        "error_rate_on_validation": rule.error_rate if rule else None,
        "uci_digits": uci(model),
        "font_pages": digit_pages(model, fonts, seed),
        "letters": letters(model, fonts, seed + 1),
        "noise": noise(model, seed + 2),
    }


if __name__ == "__main__":
    main()
