"""Random changes of light, background, noise, stroke width and polarity of whole batches."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from mnist_lightning.data.digits import SIDE
from mnist_lightning.errors import check_range

# Control points of the background along each axis: three over 28 pixels give a gradient or a
# shadow, nothing as fine as a stroke.
BACKGROUND_POINTS = 3


class Look(NamedTuple):
    """The appearance of each image of a batch.

    Attributes:
        gain: float32 ``(N, 1, 1, 1)``, factor of the ink, 0 to 1.
        background: float32 ``(N, 1, BACKGROUND_POINTS, BACKGROUND_POINTS)``, brightness added at
            the control points, 0 to 1 minus ``gain``.
        noise: float32 ``(N, 1, 28, 28)``, added to each pixel, in units of the range.
        stroke: float32 ``(N, 1, 1, 1)``, -1 to 1: share of the way to the eroded image if
            negative, to the dilated one if positive; None if strokes stay as they are.
        hollow: bool ``(N, 1, 1, 1)``, True for the outline of each stroke instead of the stroke;
            None if there is none.
        inverted: bool ``(N, 1, 28, 28)``, True for dark ink on a bright background; None if there
            is none.
    """

    gain: Tensor
    background: Tensor
    noise: Tensor
    stroke: Tensor | None
    hollow: Tensor | None
    inverted: Tensor | None

    def rows(self, index: slice) -> "Look":
        """Return the appearance of some of the images."""
        return Look._make(None if part is None else part[index] for part in self)

    def to(self, device: torch.device | str) -> "Look":
        """Return the appearance on a device."""
        return Look._make(None if part is None else part.to(device) for part in self)


@dataclass(frozen=True)
class Appearance:
    """The ranges of the changes, which are drawn independently for each image.

    Brightness, fog, noise, stripe and edges of the corruption benchmark MNIST-C resemble these
    changes: a network that is trained with them has seen similar images, though not those
    corruptions.

    Args:
        share: Share of the images that are changed; the others keep their pixels.
        gain: Smallest factor of the ink's brightness; the largest is 1.
        background: Largest brightness of a smooth background, as a share of what the ink leaves of
            the range.
        noise: Largest standard deviation of Gaussian noise, as a share of the range.
        stroke: Largest share of the way to an image dilated or eroded by one pixel.
        hollow: Share of the changed images whose strokes become outlines.
        inverted: Share of the changed images that are inverted.
        bands: Share of the inverted images that are inverted only in a band, upright or level.

    Raises:
        UserError: A number is out of range.
    """

    share: float = 0.5
    gain: float = 0.3
    background: float = 1.0
    noise: float = 0.25
    stroke: float = 0.0
    hollow: float = 0.0
    inverted: float = 0.0
    bands: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            check_range(f"--data.augmentation.appearance.{name}", value, 0, 1)

    def draw(self, n: int, generator: Generator) -> Look:
        """Draw the appearance of ``n`` images.

        Args:
            n: Number of images.
            generator: A generator on the CPU; equal states give equal appearances.
        """
        unit = torch.rand(n, 6, 1, 1, 1, generator=generator)
        changed = (unit[:, 0] < self.share).float()
        gain = 1 - changed * (1 - self.gain) * unit[:, 1]
        points = torch.rand(n, 1, BACKGROUND_POINTS, BACKGROUND_POINTS, generator=generator)
        # Between an even background and one that varies from nothing to the highest value.
        level, evenness = unit[:, 2], unit[:, 3]
        background = self.background * (1 - gain) * level * (evenness + (1 - evenness) * points)
        deviation = changed * self.noise * torch.rand(n, 1, 1, 1, generator=generator)
        noise = deviation * torch.randn(n, 1, SIDE, SIDE, generator=generator)
        stroke = changed * self.stroke * (2 * unit[:, 4] - 1) if self.stroke else None
        inverted = hollow = None
        if self.inverted:
            inverted = (unit[:, 5] < self.inverted * changed).expand(n, 1, SIDE, SIDE)
        if self.hollow:
            hollow = torch.rand(n, 1, 1, 1, generator=generator) < self.hollow * changed
        if inverted is not None and self.bands:
            inverted = inverted & self._bands(n, generator)
        return Look(gain, background, noise, stroke, hollow, inverted)

    def _bands(self, n: int, generator: Generator) -> Tensor:
        """Draw the part of each image that an inversion concerns: all of it, or a band."""
        unit = torch.rand(n, 4, 1, 1, generator=generator)
        pixel = torch.arange(SIDE).expand(n, SIDE, SIDE)
        across = torch.where(unit[:, 0] < 0.5, pixel, pixel.mT)
        middle, width = unit[:, 1] * SIDE, SIDE * (1 + unit[:, 2]) / 4
        band = (across - middle).abs() < width / 2
        return (band | (unit[:, 3] >= self.bands)).unsqueeze(1)


def apply_look(images: Tensor, look: Look) -> Tensor:
    """Change the appearance of a batch on its device.

    Args:
        images: uint8 ``(N, 1, 28, 28)``, 0 is background and 255 is ink.
        look: The appearance of these ``N`` images, on the same device.

    Returns:
        uint8 ``(N, 1, 28, 28)``.
    """
    ink = images.float() / 255
    if look.hollow is not None:
        ink = torch.where(look.hollow, _dilate(ink) - ink, ink)
    if look.stroke is not None:
        thicker, thinner = _dilate(ink) - ink, ink + _dilate(-ink)
        ink = ink + look.stroke.clamp(min=0) * thicker + look.stroke.clamp(max=0) * thinner
    # One matrix product for the whole batch: F.interpolate takes three times as long on a CPU.
    background = look.background.flatten(1) @ _background_basis(images.device)
    seen = background.view_as(ink).addcmul_(ink, look.gain)
    if look.inverted is not None:
        seen = torch.where(look.inverted, 1 - seen, seen)
    return seen.add_(look.noise).mul_(255).round_().clamp_(0, 255).to(torch.uint8)


def _dilate(images: Tensor) -> Tensor:
    """Return the largest of the 3x3 pixels around each; max_pool2d takes longer on a CPU."""
    for axis in (2, 3):
        first, rest = images.narrow(axis, 0, SIDE - 1), images.narrow(axis, 1, SIDE - 1)
        larger = torch.maximum(first, rest)
        inner = torch.maximum(larger.narrow(axis, 0, SIDE - 2), larger.narrow(axis, 1, SIDE - 2))
        ends = larger.narrow(axis, 0, 1), inner, larger.narrow(axis, SIDE - 2, 1)
        images = torch.cat(ends, dim=axis)
    return images


@lru_cache(maxsize=4)
def _background_basis(device: torch.device) -> Tensor:
    """Return how one unit of each control point spreads, ``(BACKGROUND_POINTS**2, 784)``."""
    points = torch.eye(BACKGROUND_POINTS**2).view(-1, 1, BACKGROUND_POINTS, BACKGROUND_POINTS)
    spread = F.interpolate(points, size=(SIDE, SIDE), mode="bilinear")
    return spread.flatten(1).to(device)
