import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_lightning.data.digits import Pixels
from mnist_lightning.robustness.affine import moved
from mnist_lightning.robustness.catalogue import CORRUPTIONS, Corruption, corrupt
from mnist_lightning.robustness.sweeps import SWEEPS, Sweep

N = 12
INDICES = np.arange(100, 100 + N)
BY_NAME = {corruption.name: corruption for corruption in CORRUPTIONS}
MNIST_C = {
    "shot_noise",
    "impulse_noise",
    "glass_blur",
    "motion_blur",
    "shear",
    "scale",
    "rotate",
    "brightness",
    "translate",
    "stripe",
    "fog",
    "spatter",
    "dotted_line",
    "zigzag",
    "canny_edges",
}
# These are the same for every seed.
FIXED = {"scale", "brightness", "stripe", "canny_edges"}


@pytest.fixture(scope="module")
def digits() -> Pixels:
    """Twelve sevens of several thicknesses and grey levels."""
    images = np.zeros((N, 28, 28), np.uint8)
    for place, image in enumerate(images):
        image[7 : 9 + place % 3, 8:20] = 255
        image[9:21, 16 : 18 + place % 2] = 200 + place
    return images


def centre_of_mass(images: Pixels) -> NDArray[np.float64]:
    positions = np.arange(28)
    total = images.sum(axis=(1, 2), dtype=float)
    rows = (images.sum(axis=2, dtype=float) * positions).sum(axis=1) / total
    columns = (images.sum(axis=1, dtype=float) * positions).sum(axis=1) / total
    return np.stack([rows, columns], axis=1)


def test_there_are_the_fifteen_corruptions_of_mnist_c() -> None:
    assert {corruption.name for corruption in CORRUPTIONS} == MNIST_C
    assert len(CORRUPTIONS) == 15


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda corruption: corruption.name)
def test_the_corruption_of_an_image_does_not_depend_on_its_batch(
    corruption: Corruption, digits: Pixels
) -> None:
    before = digits.copy()
    whole = corruption(digits, INDICES, 0)
    np.testing.assert_array_equal(digits, before)
    assert whole.dtype == np.uint8
    assert whole.shape == digits.shape
    assert all((whole[place] != digits[place]).any() for place in range(N))

    chosen = np.array([7, 2, 11])
    some = corruption(digits[chosen], INDICES[chosen], 0)
    np.testing.assert_array_equal(some, whole[chosen])
    other_seed = corruption(digits, INDICES, 1)
    assert (other_seed == whole).all() == (corruption.name in FIXED)


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda corruption: corruption.name)
def test_severity_zero_is_the_identity_and_six_is_refused(
    corruption: Corruption, digits: Pixels
) -> None:
    np.testing.assert_array_equal(corruption(digits, INDICES, 0, severity=0), digits)
    with pytest.raises(ValueError, match=corruption.name):
        corruption(digits, INDICES, 0, severity=6)


def test_any_images_are_corrupted_by_name_and_their_indices_choose_the_numbers(
    digits: Pixels,
) -> None:
    whole = corrupt(digits, "fog", 2, seed=4)
    np.testing.assert_array_equal(whole, BY_NAME["fog"](digits, np.arange(N), 4, 2))
    indices = np.array([3, 1])
    some = corrupt(digits[indices], "fog", 2, seed=4, indices=indices)
    np.testing.assert_array_equal(some, whole[indices])
    np.testing.assert_array_equal(corrupt(digits, "scale"), corrupt(digits, "scale", 3))
    with pytest.raises(ValueError, match=r"hail.*choose from shot_noise"):
        corrupt(digits, "hail")


@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda sweep: sweep.name)
def test_strength_zero_is_the_identity_and_higher_strengths_change_more(
    sweep: Sweep, digits: Pixels
) -> None:
    np.testing.assert_array_equal(sweep(digits, INDICES, 0, 0), digits)
    changed = [
        np.abs(sweep(digits, INDICES, 0, strength).astype(int) - digits).mean()
        for strength in (sweep.strengths[0], sweep.strengths[-1])
    ]
    assert 0 < changed[0] < changed[1]


def test_translate_shifts_the_centre_of_mass_along_both_axes(digits: Pixels) -> None:
    moves = centre_of_mass(BY_NAME["translate"](digits, INDICES, 0)) - centre_of_mass(digits)
    np.testing.assert_allclose(np.abs(moves), 3, atol=1e-9)
    assert len(np.unique(np.rint(moves), axis=0)) > 1


def test_pixels_moved_out_of_the_image_are_lost(digits: Pixels) -> None:
    gone = moved(digits, np.full((N, 2), 28))
    assert not gone.any()
    right = moved(digits, np.tile([0, 2], (N, 1)))
    np.testing.assert_array_equal(right[:, :, 2:], digits[:, :, :-2])


def test_brightness_raises_every_pixel_and_shot_noise_keeps_the_background_black(
    digits: Pixels,
) -> None:
    brighter = BY_NAME["brightness"](digits, INDICES, 0)
    assert (brighter >= digits).all()
    assert set(brighter[digits == 0]) == {128}
    assert not BY_NAME["shot_noise"](digits, INDICES, 0)[digits == 0].any()


def test_impulse_noise_replaces_the_stated_share_of_pixels(digits: Pixels) -> None:
    blank = np.full((N, 28, 28), 100, np.uint8)
    noisy = BY_NAME["impulse_noise"](blank, INDICES, 0)
    assert np.mean(noisy == 0) == pytest.approx(0.085, abs=0.015)
    assert np.mean(noisy == 255) == pytest.approx(0.085, abs=0.015)


def test_scale_shrinks_and_stripe_inverts_the_sides(digits: Pixels) -> None:
    smaller = BY_NAME["scale"](digits, INDICES, 0)
    share = smaller.sum(dtype=float) / digits.sum(dtype=float)
    assert share == pytest.approx(0.7**2, rel=0.1)
    striped = BY_NAME["stripe"](digits, INDICES, 0)
    np.testing.assert_array_equal(striped[:, :, :7], 255 - digits[:, :, :7])
    np.testing.assert_array_equal(striped[:, :, 7:21], digits[:, :, 7:21])


@pytest.mark.parametrize("name", ["dotted_line", "zigzag"])
def test_strokes_only_add_ink(name: str, digits: Pixels) -> None:
    assert (BY_NAME[name](digits, INDICES, 0) >= digits).all()
