"""The corruptions against plain statements of what the published code of MNIST-C does.

Mu and Gilmer's ``corruptions.py`` works on one image at a time, in float64, with scikit-image 0.15.
Each statement below is for one image, with loops, and takes its random numbers as arguments.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from skimage.transform import ProjectiveTransform, warp

from mnist_lightning.data.digits import Pixels
from mnist_lightning.robustness.blur import motion_blur
from mnist_lightning.robustness.catalogue import CORRUPTIONS
from mnist_lightning.robustness.draws import Draws

Image = NDArray[np.float64]

N = 6
SEED = 3
INDICES = np.arange(40, 40 + N)
BY_NAME = {corruption.name: corruption for corruption in CORRUPTIONS}
PIXELS = [(row, column) for row in range(28) for column in range(28)]


@pytest.fixture(scope="module")
def digits() -> Pixels:
    """Strokes of several thicknesses with grey edges, so that every grey level occurs."""
    random = np.random.default_rng(0)
    images = np.zeros((N, 28, 28))
    for place, image in enumerate(images):
        image[6 : 9 + place % 3, 7:21] = 1
        image[9:22, 15 : 17 + place % 2] = 0.9
    blurred = gaussian_filter(images, (0, 0.6, 0.6)) + 0.02 * random.random(images.shape)
    pixels: Pixels = np.rint(255 * np.clip(blurred, 0, 1)).astype(np.uint8)
    return pixels


def assert_equal(name: str, severity: int | None, digits: Pixels, expected: list[Image]) -> None:
    """Compare with floats from 0 to 255: the pixels are these, rounded."""
    found = BY_NAME[name](digits, INDICES, SEED, severity)
    # Where a float is halfway between two grey levels, its last bit decides.
    np.testing.assert_allclose(found, np.array(expected), rtol=0, atol=0.501)


def draws(name: str) -> Draws:
    return Draws(SEED, name, INDICES)


def line(c0: float, r0: float, c1: float, r1: float) -> Image:
    """Ink of a line from column c0 to c1: fades along the column, ends before ceil(c1)."""
    ink = np.zeros((28, 28))
    for row, column in PIXELS:
        if math.floor(c0) <= column < math.ceil(c1):
            distance = abs(row - (r0 + (r1 - r0) / (c1 - c0) * (column - c0)))
            ink[row, column] = max(0, 1 + math.log(1 - min(distance, 2.3 - 1e-10) / 2.3))
    return ink


def test_a_dotted_line_ends_before_the_last_column(digits: Pixels) -> None:
    expected = []
    for image, (left, right) in zip(digits, draws("dotted_line").integers(0, 26, 2), strict=True):
        ink = line(0, left, 27, right)
        for column in range(28):
            if column // 2 % 2 == 0:
                ink[:, column] = 0
        expected.append(255 * np.clip(image / 255 + ink, 0, 1))

    assert_equal("dotted_line", None, digits, expected)
    assert all(
        (image[:, 27] == digit[:, 27]).all() for image, digit in zip(expected, digits, strict=True)
    )


def corners(first: int, last: int) -> Iterator[tuple[float, float]]:
    """Columns and rows of the corners of a zigzag of height 2 between columns 2 and 25."""
    angle = math.atan((last - first) / 23)
    length = 23 / math.cos(angle)
    points, place, sign = [(0.0, 0.0)], 2.0, 1
    while place <= length:
        points.append((place, 2.0 * sign))
        place, sign = place + 4, -sign
    beyond = length - 4 * (length // 4)
    points.append((length, points[-1][1] / (2 * beyond)))
    for x, y in points:
        column = x * math.cos(angle) - y * math.sin(angle)
        row = x * math.sin(angle) + y * math.cos(angle)
        yield 2 + column, first + row


def test_a_zigzag_is_drawn_stroke_by_stroke(digits: Pixels) -> None:
    numbers = draws("zigzag")
    firsts, rises = numbers.integers(0, 26), numbers.integers(-5, 4)
    expected = []
    for image, first, rise in zip(digits, firsts.tolist(), rises.tolist(), strict=True):
        value = image / 255
        points = list(corners(first, first + rise))
        for (c0, r0), (c1, r1) in pairwise(points):
            value = np.clip(value + line(c0, r0, c1, r1), 0, 1)
        expected.append(255 * value)

    assert_equal("zigzag", None, digits, expected)


@pytest.mark.parametrize("severity", range(1, 6))
def test_glass_blur_blurs_columns_and_exchanges_up_and_to_the_left(
    severity: int, digits: Pixels
) -> None:
    sigma, most, iterations = [(0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)][
        severity - 1
    ]
    numbers = draws("glass_blur")
    rounds = [
        (numbers.integers(0, 1, 28, 28), numbers.integers(-most, most - 1, 28, 28, 2))
        for _ in range(iterations)
    ]
    expected = []
    for place, image in enumerate(digits):
        blurred = gaussian_filter1d(image / 255, sigma, axis=0, mode="nearest")
        value = (255 * blurred).astype(np.uint8)
        for swaps, offsets in rounds:
            for row in reversed(range(most + 1, 29 - most)):
                for column in reversed(range(most + 1, 29 - most)):
                    if swaps[place, row, column]:
                        down, right = offsets[place, row, column]
                        other = (row + down, column + right)
                        value[row, column], value[other] = value[other], value[row, column]
        expected.append(255 * gaussian_filter1d(value / 255, sigma, axis=0, mode="nearest"))

    found = BY_NAME["glass_blur"](digits, INDICES, SEED, severity)
    np.testing.assert_array_equal(found, np.rint(expected))


@pytest.mark.parametrize("severity", range(1, 6))
def test_spatter_is_mud_at_every_severity(severity: int, digits: Pixels) -> None:
    mean, deviation, smoothing, level, blur = [
        (0.65, 0.3, 4, 0.69, 0.6),
        (0.65, 0.3, 3, 0.68, 0.6),
        (0.65, 0.3, 2, 0.68, 0.5),
        (0.65, 0.3, 1, 0.65, 1.5),
        (0.67, 0.4, 1, 0.65, 1.5),
    ][severity - 1]
    expected = []
    for image, noise in zip(digits, draws("spatter").normal(28, 28), strict=True):
        liquid = gaussian_filter(mean + deviation * noise.astype(float), smoothing, mode="nearest")
        mud = gaussian_filter(np.where(liquid > level, 1.0, 0.0), blur, mode="nearest")
        mud[mud < 0.8] = 0
        expected.append(image * (1 - mud) + 63 * mud)

    assert_equal("spatter", severity, digits, expected)


def warped(image: Pixels, matrix: list[list[float]]) -> Image:
    """Apply a map from output to input (x, y) around (13.5, 13.5), with scikit-image."""
    (a, b), (c, d) = matrix
    whole = [[a, b, 13.5 * (1 - a - b)], [c, d, 13.5 * (1 - c - d)], [0, 0, 1]]
    found: Image = 255 * warp(image / 255, ProjectiveTransform(np.array(whole)), order=1)
    return found


def sheared(c: float) -> list[list[float]]:
    return [[1, -math.sin(c)], [0, math.cos(c)]]


def rotated(c: float) -> list[list[float]]:
    return [[math.cos(c), -math.sin(c)], [math.sin(c), math.cos(c)]]


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize(("name", "matrix"), [("shear", sheared), ("rotate", rotated)])
def test_shear_and_rotation_are_those_of_scikit_image_in_2019(
    name: str, matrix: Callable[[float], list[list[float]]], severity: int, digits: Pixels
) -> None:
    ways = 1 - 2 * draws(name).integers(0, 1)
    assert len(set(ways.tolist())) == 2
    expected = [
        warped(image, matrix(0.2 * severity * way)) for image, way in zip(digits, ways, strict=True)
    ]

    assert_equal(name, severity, digits, expected)


def test_scale_divides_and_translate_shifts_by_whole_pixels(digits: Pixels) -> None:
    expected = [warped(image, [[1 / 0.7, 0], [0, 1 / 0.7]]) for image in digits]
    assert_equal("scale", None, digits, expected)
    ways = 3 * (2 * draws("translate").integers(0, 1, 2) - 1)
    moved = []
    for image, (down, right) in zip(digits, ways, strict=True):
        moved.append(np.zeros((28, 28)))
        for row, column in PIXELS:
            if 0 <= row - down < 28 and 0 <= column - right < 28:
                moved[-1][row, column] = image[row - down, column - right]
    assert_equal("translate", None, digits, moved)


def test_noise_and_brightness(digits: Pixels) -> None:
    counts = draws("shot_noise").poisson((digits / 255 * 3).astype(np.float32)).astype(float)
    assert_equal("shot_noise", 5, digits, list(255 * np.clip(counts / 3, 0, 1)))
    assert_equal("brightness", 5, digits, list(255 * np.clip(digits / 255 + 0.5, 0, 1)))


def plasma(uniform: Callable[[int], NDArray[np.float32]], decay: float) -> Image:
    """Diamond-square on a torus of side 256, of which the sums wrap around."""
    heights = np.zeros((256, 256))
    step, wibble = 256, 100.0
    while step >= 2:
        half = step // 2
        noise = wibble * wibble * (2 * uniform(256 // step).astype(float) - 1)
        starts = [
            (kind, offset) for kind, offset in enumerate([(half, half), (0, half), (half, 0)])
        ]
        for kind, (down, right) in starts:
            diagonal = [(-half, -half), (-half, half), (half, -half), (half, half)]
            straight = [(-half, 0), (half, 0), (0, -half), (0, half)]
            new = {}
            for row in range(down, 256, step):
                for column in range(right, 256, step):
                    around = diagonal if kind == 0 else straight
                    total = sum(heights[(row + y) % 256, (column + x) % 256] for y, x in around)
                    new[row, column] = total / 4 + noise[kind, row // step, column // step]
            for place, height in new.items():
                heights[place] = height
        step, wibble = half, wibble / decay
    heights -= heights.min()
    heights /= heights.max()
    return heights


def test_fog_is_a_corner_of_a_plasma_of_256_pixels(digits: Pixels) -> None:
    numbers = draws("fog").part(slice(0, 1))
    heights = plasma(lambda points: numbers.uniform(3, points, points)[0], 1.4)
    image = digits[0] / 255
    fog = (image + 3 * heights[:28, :28]) * image.max() / (image.max() + 3)

    found = BY_NAME["fog"](digits[:1], INDICES[:1], SEED)

    np.testing.assert_allclose(found[0], 255 * np.clip(fog, 0, 1), rtol=0, atol=0.51)


class Angle:
    """Random numbers that give one angle, in degrees, to every image."""

    def __init__(self, degrees: float) -> None:
        self.degrees = degrees

    def uniform(self) -> NDArray[np.float64]:
        return np.array([(self.degrees + 45) / 90])


#: The trails of two pixels, by row, first column and grey levels, as ``convert -motion-blur
#: 10x3+30`` and ``10x3-17`` of ImageMagick 6.9.11 draw them.
TRAILS = {
    30: [
        *((1, 13, [1]), (2, 14, [3, 8]), (3, 16, [14, 24]), (4, 17, [36, 47]), (5, 19, [56, 59])),
        *((21, 19, [1]), (22, 20, [3, 6]), (23, 22, [11, 19]), (24, 23, [28, 37])),
        (25, 25, [44, 46]),
    ],
    -17: [
        *((5, 19, [56, 59]), (6, 15, [14, 24, 36, 47]), (7, 12, [1, 3, 8])),
        *((25, 25, [44, 46]), (26, 21, [11, 19, 28, 37]), (27, 18, [1, 3, 6])),
    ],
}


@pytest.mark.parametrize("degrees", TRAILS)
def test_motion_blur_is_that_of_imagemagick(degrees: int) -> None:
    points = np.zeros((1, 28, 28), np.uint8)
    points[0, 5, 20], points[0, 25, 26] = 255, 200
    expected = np.zeros((28, 28), np.uint8)
    for row, column, levels in TRAILS[degrees]:
        expected[row, column : column + len(levels)] = levels

    found = motion_blur(points, cast(Draws, Angle(degrees)), length=20, sigma=3)

    np.testing.assert_array_equal(found[0], expected)
