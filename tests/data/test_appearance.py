"""Changes of light, background, noise, strokes and polarity."""

import math
from dataclasses import fields, replace

import pytest
import torch
from torch import Generator, Tensor

from mnist_lightning.data.appearance import Appearance, Look, apply_look
from mnist_lightning.data.augmentation import Augmentation, distort
from mnist_lightning.data.digits import Digits
from mnist_lightning.data.loader import BatchLoader
from mnist_lightning.errors import UserError

NOTHING = Appearance(share=1.0, gain=1.0, background=0.0, noise=0.0)


def _look(appearance: Appearance, n: int, seed: int = 0) -> Look:
    return appearance.draw(n, Generator().manual_seed(seed))


def _changed(appearance: Appearance, images: Tensor) -> Tensor:
    return apply_look(images, _look(appearance, len(images)))


def test_no_change_keeps_every_pixel(tiny_digits: Digits) -> None:
    assert torch.equal(_changed(NOTHING, tiny_digits.images), tiny_digits.images)


def test_only_a_share_of_the_images_is_changed() -> None:
    images = torch.full((1000, 1, 28, 28), 100, dtype=torch.uint8)

    same = (_changed(Appearance(share=0.25, inverted=1.0), images) == images).all(dim=(1, 2, 3))

    assert same.float().mean() == pytest.approx(0.75, abs=0.05)


def test_the_gain_scales_the_ink(tiny_digits: Digits) -> None:
    dimmed = _changed(replace(NOTHING, gain=0.4), tiny_digits.images).float()

    ratio = dimmed.amax(dim=(1, 2, 3)) / tiny_digits.images.float().amax(dim=(1, 2, 3))
    assert ratio.min() >= 0.39
    assert ratio.max() <= 1
    assert len(ratio.unique()) > len(ratio) / 2


def test_ink_and_background_stay_in_the_range() -> None:
    look = _look(replace(NOTHING, gain=0.2, background=1.0), 500)

    assert (look.background.amax(dim=(1, 2, 3)) <= 1 - look.gain[:, 0, 0, 0] + 1e-6).all()
    assert look.background.amin() >= 0
    assert look.background.max() > 0.5


def test_the_noise_has_the_stated_deviation() -> None:
    look = _look(replace(NOTHING, noise=0.25), 500)

    deviations = look.noise.std(dim=(1, 2, 3))
    assert deviations.max() == pytest.approx(0.25, abs=0.02)
    assert deviations.mean() == pytest.approx(0.125, abs=0.02)


def test_inversion_swaps_ink_and_background(tiny_digits: Digits) -> None:
    inverted = _changed(replace(NOTHING, inverted=1.0), tiny_digits.images)

    assert torch.equal(inverted, 255 - tiny_digits.images)


def test_strokes_become_thicker_and_thinner(tiny_digits: Digits) -> None:
    look = _look(replace(NOTHING, stroke=1.0), len(tiny_digits))
    assert look.stroke is not None
    ink = tiny_digits.images.float().sum(dim=(1, 2, 3))

    change = apply_look(tiny_digits.images, look).float().sum(dim=(1, 2, 3)) - ink

    clear = look.stroke.flatten().abs() > 0.1
    assert torch.equal(change[clear] > 0, look.stroke.flatten()[clear] > 0)


def test_a_hollow_stroke_is_its_outline() -> None:
    square = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    square[:, :, 10:16, 10:16] = 255

    outline = _changed(replace(NOTHING, hollow=1.0), square)[0, 0]

    assert int((outline == 255).sum()) == 8 * 8 - 6 * 6
    assert not outline[10:16, 10:16].any()


def test_a_band_is_inverted_and_the_rest_is_not() -> None:
    images = torch.zeros(400, 1, 28, 28, dtype=torch.uint8)

    banded = _changed(replace(NOTHING, inverted=1.0, bands=0.5), images)[:, 0] == 255

    whole = banded.flatten(1).all(dim=1)
    assert whole.float().mean() == pytest.approx(0.5, abs=0.1)
    for image in banded[~whole]:
        upright, level = image[0].expand(28, 28), image[:, :1].expand(28, 28)
        assert torch.equal(image, upright) or torch.equal(image, level)


def test_equal_states_give_equal_looks_and_rows_are_cut() -> None:
    everything = Appearance(stroke=0.5, inverted=0.5, hollow=0.5, bands=0.5)
    one, other, part = (_look(everything, 8) for _ in range(3))

    for a, b, c in zip(one, other, part.rows(slice(2, 4)), strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a[2:4], c)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
@pytest.mark.parametrize("name", [field.name for field in fields(Appearance)])
def test_a_number_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(UserError, match=rf"appearance\.{name} must be from 0 to 1"):
        Appearance(**{name: value})


def test_the_loader_draws_a_look_without_changing_the_distortions(tiny_digits: Digits) -> None:
    plain, changed = Augmentation(), Augmentation(appearance=Appearance(share=1.0))
    first, second = (
        next(iter(BatchLoader(tiny_digits, 16, seed=0, augmentation=one)))
        for one in (plain, changed)
    )

    assert first.warp is not None
    assert second.warp is not None
    assert first.look is None
    assert second.look is not None
    assert torch.equal(first.warp.affine, second.warp.affine)
    seen = distort(second.images, second.warp, second.look)
    assert torch.equal(seen, apply_look(distort(first.images, first.warp, None), second.look))
