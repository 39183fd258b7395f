"""The images on which `benchmarks.rejection_scores` compares when to give no answer."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import ImageFont
from skimage.filters import gaussian

from benchmarks.handwriting import LETTERS, PENS, draw_page
from mnist_lightning.data.digits import Digits, Pixels
from mnist_lightning.handwriting.prepare import prepare_digit
from mnist_lightning.handwriting.segment import find_digits
from mnist_lightning.robustness.catalogue import CORRUPTIONS

#: Held-out digits for everything that is fitted: the first ones of a fold.
FITTED = 5000
#: Held-out digits that are corrupted: the first ones after those.
CORRUPTED = 600
#: Images of blots, and as many of grain.
NOISE = 500

Images = dict[str, Pixels]


class Drawn(NamedTuple):
    """Images that do not come from MNIST.

    Attributes:
        images: uint8 ``(N, 28, 28)`` by name: ``digits`` of fonts, ``letters``, ``blots``,
            ``grain``.
        labels: int64 ``(N,)``, of ``digits``.
    """

    images: Images
    labels: npt.NDArray[np.int64]


def draw(fonts: Sequence[Path], seed: int) -> Drawn:
    """Draw digits and letters on pages, read them like photographs, and draw blots and grain.

    Args:
        fonts: Handwriting fonts.
        seed: Seed of texts, pages and noise.
    """
    rng = np.random.default_rng(seed)
    digits: list[Pixels] = []
    labels: list[int] = []
    letters: list[Pixels] = []
    for path in fonts:
        font = ImageFont.truetype(path, 130)
        for pen in PENS:
            text = "".join(map(str, rng.permutation(10)))
            found = find_digits(draw_page([text[:5], text[5:]], font, pen, rng))
            # Digits that are found in other pieces have no labels.
            if len(found) == len(text):
                digits += [digit.pixels for digit in found]
                labels += map(int, text)
            text = "".join(rng.permutation(list(LETTERS)))
            for start in range(0, 30, 10):
                rows = [text[start : start + 5], text[start + 5 : start + 10]]
                letters += [one.pixels for one in find_digits(draw_page(rows, font, pen, rng))]
    grain = rng.integers(0, 256, (NOISE, 28, 28)).astype(np.uint8)
    clouds = [gaussian(rng.random((100, 100)), 6) for _ in range(NOISE)]
    blots = [prepare_digit((one > np.quantile(one, 0.75)).astype(float)) for one in clouds]
    images = {"digits": digits, "letters": letters, "blots": blots, "grain": grain}
    return Drawn({name: np.array(each) for name, each in images.items()}, np.array(labels))


def held_out(digits: Digits, indices: npt.NDArray[np.int64]) -> Images:
    """Return the digits of a fold, and some of them under each corruption of MNIST-C.

    Args:
        digits: The training images of MNIST.
        indices: The held-out ones.
    """
    pixels = digits.images[indices, 0].numpy()
    part = slice(FITTED, FITTED + CORRUPTED)
    corrupted = {f"c_{one.name}": one(pixels[part], indices[part], 0) for one in CORRUPTIONS}
    return {"clean": pixels, **corrupted}
