"""Contrast normalisation: what it makes equal, and what it leaves alone."""

import pytest
import torch
from torch import Tensor

from mnist_lightning.data.digits import Digits
from mnist_lightning.models.cnn import CNN
from mnist_lightning.models.contrast import CONTRAST_FLOOR, ContrastNormalisation
from mnist_lightning.models.resnet50 import ResNet50


def _seen(digits: Digits, gain: float, background: float) -> Tensor:
    """Digits as they look in another light, float32."""
    return digits.images.float() * gain + background


def test_the_light_makes_no_difference(tiny_digits: Digits) -> None:
    layer = ContrastNormalisation()

    normal = layer(_seen(tiny_digits, 1, 0))

    assert not normal.amin(dim=(1, 2, 3)).any()
    assert (normal.amax(dim=(1, 2, 3)) == 1).all()
    assert torch.allclose(layer(_seen(tiny_digits, 0.3, 170)), normal, atol=1e-5)


def test_an_image_of_full_contrast_is_only_scaled(tiny_digits: Digits) -> None:
    full = tiny_digits.images[tiny_digits.images.amax(dim=(1, 2, 3)) == 255]

    assert len(full)
    assert torch.equal(ContrastNormalisation()(full), full / 255)


@pytest.mark.parametrize("level", [0, 7, 255])
def test_a_blank_image_is_blank_at_any_brightness(level: int) -> None:
    blank = torch.full((2, 1, 28, 28), level, dtype=torch.uint8)

    assert not ContrastNormalisation()(blank).any()


def test_an_image_below_the_floor_is_not_stretched() -> None:
    faint = torch.full((2, 1, 28, 28), 100, dtype=torch.uint8)
    faint[0, 0, 5, 5] += CONTRAST_FLOOR - 1
    faint[1, 0, 5, 5] += CONTRAST_FLOOR

    brightest = ContrastNormalisation()(faint).amax(dim=(1, 2, 3))

    assert brightest.tolist() == pytest.approx([(CONTRAST_FLOOR - 1) / 255, 1.0])


def test_each_image_has_its_own_contrast(tiny_digits: Digits) -> None:
    layer, images = ContrastNormalisation(), tiny_digits.images[:3].clone()
    images[1] //= 3

    together = layer(images)

    assert torch.equal(together, torch.cat([layer(one[None]) for one in images]))


@pytest.mark.parametrize("kind", [CNN, ResNet50])
def test_the_networks_read_a_digit_in_any_light_alike(
    kind: type[CNN | ResNet50], tiny_digits: Digits
) -> None:
    torch.manual_seed(0)
    network = kind().eval()
    images = tiny_digits.images[:2] // 2 * 2  # even numbers, so that half of them is exact
    images[:, :, 0, 0] = 254

    with torch.inference_mode():
        normal, grey = network(images), network(images // 2 + 90)

    assert torch.allclose(normal, grey, atol=1e-3)
