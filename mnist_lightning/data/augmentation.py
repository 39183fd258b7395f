"""Random distortions of whole batches, with separate parameters for each image.

Drawing and applying the parameters are separate steps: a loader draws them on the CPU from its own
generator, so that they depend only on (seed, epoch, step), and the batch is warped on its device.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from mnist_lightning.data.appearance import Appearance, Look, apply_look
from mnist_lightning.data.digits import SIDE
from mnist_lightning.errors import UserError

# Control points of the elastic field along each axis. Five over 28 pixels bend a stroke without
# breaking it, like the Gaussian of width 4 pixels that Simard et al. (2003) smooth noise with.
CONTROL_POINTS = 5


class Warp(NamedTuple):
    """The distortion of each image of a batch.

    Attributes:
        affine: float32 ``(N, 2, 3)``, maps output to input coordinates, both in [-1, 1].
        elastic: float32 ``(N, 2, CONTROL_POINTS, CONTROL_POINTS)``, displacements of the control
            points in the same coordinates, x first; None without elastic distortion.
    """

    affine: Tensor
    elastic: Tensor | None

    def rows(self, index: slice) -> "Warp":
        """Return the distortions of some of the images."""
        return Warp._make(None if part is None else part[index] for part in self)

    def to(self, device: torch.device | str) -> "Warp":
        """Return the distortions on a device."""
        return Warp._make(None if part is None else part.to(device) for part in self)


@dataclass(frozen=True)
class Augmentation:
    """The ranges of the distortions, which are drawn uniformly and independently for each image.

    Images are never flipped: digits are not symmetric.

    Args:
        rotation: Largest angle in degrees, in both directions.
        scale: Largest relative change of size along each axis; 0.1 means 0.9 to 1.1.
        shear: Largest horizontal slant in degrees, in both directions.
        shift: Largest displacement along each axis in pixels, in both directions.
        elastic: Standard deviation of the displacement of the control points in pixels; 0
            disables elastic distortion.
        appearance: Ranges of changes of light, background and noise; null for none.

    Raises:
        UserError: A number is out of range.
    """

    rotation: float = 10.0
    scale: float = 0.1
    shear: float = 5.0
    shift: float = 2.0
    elastic: float = 0.0
    appearance: Appearance | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name != "appearance" and not (math.isfinite(value) and value >= 0):
                raise UserError(f"--data.augmentation.{name} must be zero or more, not {value}")
        if self.scale >= 1:
            raise UserError(f"--data.augmentation.scale must be below 1, not {self.scale}")

    def draw(self, n: int, generator: Generator) -> Warp:
        """Draw the distortions of ``n`` images.

        Args:
            n: Number of images.
            generator: A generator on the CPU; equal states give equal distortions.
        """
        unit = 2 * torch.rand(n, 6, generator=generator) - 1
        angle = torch.deg2rad(self.rotation * unit[:, 0])
        slant = torch.tan(torch.deg2rad(self.shear * unit[:, 1]))
        # Sampling maps output to input coordinates: an image grows when the grid shrinks.
        zoom_x, zoom_y = (1 / (1 + self.scale * unit[:, 2:4])).unbind(dim=1)
        shift_x, shift_y = (unit[:, 4:6] * self.shift * 2 / SIDE).unbind(dim=1)
        cos, sin = torch.cos(angle), torch.sin(angle)
        # The product zoom @ rotation @ shear, written out: batched matrix products are slow.
        row_x = torch.stack([zoom_x * cos, zoom_x * (cos * slant - sin), shift_x], dim=1)
        row_y = torch.stack([zoom_y * sin, zoom_y * (sin * slant + cos), shift_y], dim=1)
        affine = torch.stack([row_x, row_y], dim=1)
        if not self.elastic:
            return Warp(affine, None)
        shape = (n, 2, CONTROL_POINTS, CONTROL_POINTS)
        elastic = torch.randn(shape, generator=generator) * (self.elastic * 2 / SIDE)
        return Warp(affine, elastic)

    def draw_look(self, n: int, generator: Generator) -> Look | None:
        """Draw the appearance of ``n`` images, after their distortions; None without changes."""
        return None if self.appearance is None else self.appearance.draw(n, generator)


def distort(images: Tensor, warp: Warp, look: Look | None) -> Tensor:
    """Distort a batch, then change its appearance.

    Args:
        images: uint8 ``(N, 1, 28, 28)``.
        warp: The distortions of these images, on the same device.
        look: Their appearance; None keeps it.

    Returns:
        uint8 ``(N, 1, 28, 28)``.
    """
    warped = apply_warp(images, warp)
    return warped if look is None else apply_look(warped, look)


def apply_warp(images: Tensor, warp: Warp) -> Tensor:
    """Distort a batch on its device, or on the CPU if its device is an Apple GPU.

    Args:
        images: uint8 ``(N, 1, 28, 28)``.
        warp: The distortions of these ``N`` images, on the same device.

    Returns:
        uint8 ``(N, 1, 28, 28)``, resampled; background where the grid leaves the image.
    """
    if images.device.type == "mps":
        # Many releases of torch have no bicubic grid_sample there.
        return apply_warp(images.to("cpu"), warp.to("cpu")).to(images.device)
    # A grid is a linear function of its parameters, so one matrix product gives those of the whole
    # batch. F.affine_grid multiplies image by image and takes twenty times as long on a CPU.
    parts = [warp.affine] if warp.elastic is None else [warp.affine, warp.elastic.flatten(2)]
    parameters = torch.cat(parts, dim=2)  # (N, 2, 3) or (N, 2, 3 + CONTROL_POINTS ** 2)
    n, axes, width = parameters.shape
    grid = parameters.reshape(n * axes, width) @ _grid_basis(images.device)[:width]
    grid = grid.view(n, axes, SIDE, SIDE).permute(0, 2, 3, 1)
    # Bilinear sampling would blur the training images, and test images would have sharper edges.
    warped = F.grid_sample(images.float(), grid, "bicubic", "zeros", align_corners=False)
    return warped.round_().clamp_(0, 255).to(torch.uint8)


@lru_cache(maxsize=4)
def _grid_basis(device: torch.device) -> Tensor:
    """Return what one unit of each parameter adds to the grid, ``(3 + CONTROL_POINTS**2, 784)``.

    The first three rows are x, y and 1 at the centre of each pixel, the basis of affine maps. Each
    of the others spreads the displacement of one control point over the pixels around it.
    """
    centres = (2 * torch.arange(SIDE) + 1) / SIDE - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    points = torch.eye(CONTROL_POINTS**2).view(-1, 1, CONTROL_POINTS, CONTROL_POINTS)
    spread = F.interpolate(points, size=(SIDE, SIDE), mode="bicubic", align_corners=True)
    affine = torch.stack([x, y, torch.ones(SIDE, SIDE)])
    return torch.cat([affine.flatten(1), spread.flatten(1)]).to(device)
