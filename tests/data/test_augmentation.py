import math
from dataclasses import fields
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor
from torch.nn import functional as F

from mnist_lightning.data.augmentation import Augmentation, Warp, apply_warp
from mnist_lightning.data.datamodule import MNISTDataModule
from mnist_lightning.data.digits import SIDE, Digits
from mnist_lightning.data.loader import Batch
from mnist_lightning.errors import UserError

NOTHING = Augmentation(rotation=0, scale=0, shear=0, shift=0, elastic=0)


RANGES = [field.name for field in fields(Augmentation) if field.name != "appearance"]


def _only(**ranges: float) -> Augmentation:
    return Augmentation(**{**vars(NOTHING), **ranges})


def _draw(augmentation: Augmentation, n: int, seed: int = 0) -> Warp:
    return augmentation.draw(n, Generator().manual_seed(seed))


def _bars(n: int) -> Tensor:
    """Upright bars in the centre of the image, (n, 1, 28, 28)."""
    images = torch.zeros(n, 1, SIDE, SIDE, dtype=torch.uint8)
    images[:, :, 6:22, 12:16] = 255
    return images


def _centred(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Ink (n, 28, 28) that sums to one, and coordinates in pixels from the image's centre."""
    ink = images[:, 0].double()
    ink = ink / ink.sum(dim=(1, 2), keepdim=True)
    axis = torch.arange(SIDE).double() - (SIDE - 1) / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return ink, x, y


def _moments(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Second moments xx, xy, yy of the ink of images without shift."""
    ink, x, y = _centred(images)
    xx, xy, yy = ((ink * product).sum(dim=(1, 2)) for product in (x * x, x * y, y * y))
    return xx, xy, yy


def _centroids(images: Tensor) -> Tensor:
    ink, x, y = _centred(images)
    return torch.stack([(ink * x).sum(dim=(1, 2)), (ink * y).sum(dim=(1, 2))], dim=1)


def test_zero_ranges_return_the_same_images(tiny_digits: Digits) -> None:
    warped = apply_warp(tiny_digits.images, _draw(NOTHING, len(tiny_digits)))

    assert torch.equal(warped, tiny_digits.images)


def test_result_is_uint8_of_the_same_shape_and_the_input_stays_unchanged(
    tiny_digits: Digits,
) -> None:
    before = tiny_digits.images.clone()

    warped = apply_warp(before, _draw(Augmentation(elastic=1), len(before)))

    assert warped.dtype == torch.uint8
    assert warped.shape == before.shape
    assert torch.equal(before, tiny_digits.images)
    assert not torch.equal(warped, before)


@pytest.mark.parametrize("kind", RANGES)
def test_every_image_of_a_batch_is_distorted_differently(kind: str) -> None:
    augmentation = _only(**{kind: 0.5 if kind == "scale" else 5})

    warp = _draw(augmentation, 64)

    field = warp.elastic if kind == "elastic" else warp.affine
    assert field is not None
    assert len(torch.unique(field.flatten(1), dim=0)) == 64


@pytest.mark.parametrize(("right", "down"), [(3, 0), (-3, 0), (0, 3), (0, -3), (2, -5)])
def test_a_shift_by_whole_pixels_is_exact(right: int, down: int, tiny_digits: Digits) -> None:
    # The map from output to input: to move the image to the right, sample on the left.
    affine = torch.eye(2, 3).repeat(len(tiny_digits), 1, 1)
    affine[:, 0, 2], affine[:, 1, 2] = -right * 2 / SIDE, -down * 2 / SIDE
    padded = torch.zeros(len(tiny_digits), 1, 3 * SIDE, 3 * SIDE, dtype=torch.uint8)
    padded[:, :, SIDE : 2 * SIDE, SIDE : 2 * SIDE] = tiny_digits.images
    top, left = SIDE - down, SIDE - right
    expected = padded[:, :, top : top + SIDE, left : left + SIDE]

    assert torch.equal(apply_warp(tiny_digits.images, Warp(affine, None)), expected)


def test_drawn_shifts_move_the_ink_by_up_to_their_range_in_all_directions() -> None:
    warp = _draw(_only(shift=3), 200)

    moved = _centroids(apply_warp(_bars(200), warp))

    # Clipping the overshoots of cubic interpolation shifts the centroid slightly.
    assert torch.allclose(moved, -warp.affine[:, :, 2].double() * SIDE / 2, atol=0.05)
    assert moved.abs().max() <= 3.05
    assert (moved.amax(dim=0) > 2.5).all()
    assert (moved.amin(dim=0) < -2.5).all()


def test_measured_rotations_are_those_drawn_and_cover_the_range_in_both_directions() -> None:
    warp = _draw(_only(rotation=20), 200)

    xx, xy, yy = _moments(apply_warp(_bars(200), warp))

    # The slope of the main axis of the ink against the vertical, in degrees.
    angles = torch.rad2deg(torch.atan2(2 * xy, yy - xx) / 2)
    drawn = torch.rad2deg(torch.atan2(warp.affine[:, 1, 0], warp.affine[:, 0, 0])).double()
    assert torch.allclose(angles, drawn, atol=0.5)
    assert angles.abs().max() <= 20.5
    assert angles.max() > 18
    assert angles.min() < -18


def test_measured_scales_are_within_the_range_and_differ_between_the_axes() -> None:
    square = torch.zeros(200, 1, SIDE, SIDE, dtype=torch.uint8)
    square[:, :, 6:22, 6:22] = 250

    scaled = apply_warp(square, _draw(_only(scale=0.2), 200))[:, 0].double()

    widths, heights = scaled[:, 14].sum(dim=1) / 250 / 16, scaled[:, :, 14].sum(dim=1) / 250 / 16
    for sizes in (widths, heights):
        assert 0.79 <= sizes.min() < 0.83
        assert 1.17 < sizes.max() <= 1.21
    assert (widths - heights).abs().max() > 0.2


def test_measured_slants_cover_the_range_in_both_directions() -> None:
    _, xy, yy = _moments(apply_warp(_bars(200), _draw(_only(shear=15), 200)))

    slants = torch.rad2deg(torch.atan(xy / yy))
    assert slants.abs().max() <= 15.5
    assert slants.max() > 13
    assert slants.min() < -13


@settings(deadline=None, max_examples=50)
@given(
    rotation=st.floats(0, 180),
    scale=st.floats(0, 0.9),
    shear=st.floats(0, 60),
    shift=st.floats(0, 10),
    seed=st.integers(0, 2**32),
)
def test_no_distortion_flips_or_exceeds_its_range(
    rotation: float, scale: float, shear: float, shift: float, seed: int
) -> None:
    affine = _draw(Augmentation(rotation, scale, shear, shift), 16, seed).affine.double()

    # Rotation and shear preserve the area; a flip would make the determinant negative.
    area = torch.linalg.det(affine[:, :, :2])
    assert (area >= (1 + scale) ** -2 * 0.999).all()
    assert (area <= (1 - scale) ** -2 * 1.001).all()
    assert affine[:, :, 2].abs().max() <= shift * 2 / SIDE * 1.001


def test_elastic_distortion_bends_strokes_without_moving_them_far() -> None:
    bars = _bars(200)

    warp = _draw(_only(elastic=0.6), 200)
    bent = apply_warp(bars, warp)

    assert warp.elastic is not None
    assert warp.elastic.std().item() * SIDE / 2 == pytest.approx(0.6, rel=0.05)
    assert torch.equal(warp.affine, torch.eye(2, 3).repeat(200, 1, 1))
    assert (bent != bars).flatten(1).any(dim=1).all()
    assert _centroids(bent).abs().max() < 3 * 0.6
    ink = bent.float().sum(dim=(1, 2, 3)) / bars.float().sum(dim=(1, 2, 3))
    assert ink.min() > 0.7
    assert ink.max() < 1.3
    # There is no ink further than five standard deviations from a stroke.
    assert bent[:, :, :3].max() == 0
    assert bent[:, :, :, :9].max() == 0


def test_a_constant_elastic_field_is_a_shift() -> None:
    # The weights that spread control points over pixels must sum to one everywhere.
    elastic = torch.zeros(1, 2, 5, 5)
    elastic[:, 0] = -2 * 2 / SIDE

    moved = apply_warp(_bars(1), Warp(torch.eye(2, 3).unsqueeze(0), elastic))

    assert torch.equal(moved, _bars(1).roll(2, dims=3))


def test_equal_generators_draw_equal_distortions_and_elastic_changes_nothing_else() -> None:
    plain, elastic = Augmentation(), Augmentation(elastic=1)

    assert torch.equal(_draw(plain, 8).affine, _draw(plain, 8).affine)
    assert torch.equal(_draw(plain, 8).affine, _draw(elastic, 8).affine)
    assert not torch.equal(_draw(plain, 8).affine, _draw(plain, 8, seed=1).affine)


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize("name", RANGES)
def test_an_impossible_range_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(UserError, match=rf"augmentation\.{name} must be zero or more"):
        _only(**{name: value})


def test_a_scale_that_could_shrink_to_nothing_is_refused() -> None:
    with pytest.raises(UserError, match=r"augmentation\.scale must be below 1, not 1"):
        _only(scale=1.0)


class OnMps(Tensor):
    """A tensor that claims to be on an Apple GPU."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device("mps")


@pytest.mark.parametrize("elastic", [0.0, 1.0])
def test_apple_gpus_are_spared_bicubic_sampling(
    elastic: float, tiny_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    to, grid_sample = Tensor.to, F.grid_sample

    def move(tensor: Tensor, *args: Any) -> Tensor:
        if torch.device("mps") in args:
            return tensor.as_subclass(OnMps)
        return to(tensor.as_subclass(Tensor), *args)

    def sample(images: Tensor, grid: Tensor, *args: Any, **options: Any) -> Tensor:
        assert "mps" not in (images.device.type, grid.device.type), "not implemented on mps"
        return grid_sample(images, grid, *args, **options)

    warp = _draw(Augmentation(elastic=elastic), len(tiny_digits))
    expected = apply_warp(tiny_digits.images, warp)
    monkeypatch.setattr(Tensor, "to", move)
    monkeypatch.setattr(F, "grid_sample", sample)
    data = MNISTDataModule()
    batch = Batch(tiny_digits.images.to(torch.device("mps")), tiny_digits.labels, warp)

    warped, _ = data.on_after_batch_transfer(batch, 0)

    assert warped.device.type == "mps"
    assert torch.equal(warped.as_subclass(Tensor), expected)
