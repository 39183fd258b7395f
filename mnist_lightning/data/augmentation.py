"""Random distortions of whole batches: one set of parameters an image, drawn apart from their use.

A loader draws the parameters on the CPU from its own generator, so that they depend on nothing but
(seed, epoch, step); the images are warped wherever the batch lives.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

SIZE = 28
# Control points of the elastic field along each axis. Five over 28 pixels bend a stroke without
# breaking it, like the Gaussian of width 4 pixels that Simard et al. (2003) smooth noise with.
CONTROL_POINTS = 5


class Warp(NamedTuple):
    """How to distort each image of a batch.

    Attributes:
        affine: float32 ``(N, 2, 3)``, from output to input coordinates, both in [-1, 1].
        elastic: float32 ``(N, 2, CONTROL_POINTS, CONTROL_POINTS)``, displacements of the control
            points in the same coordinates, x first; None where there is no elastic distortion.
    """

    affine: Tensor
    elastic: Tensor | None


@dataclass(frozen=True)
class Augmentation:
    """The ranges that distortions are drawn from, uniformly and independently for each image.

    There are no flips: digits are not symmetric.

    Args:
        rotation: Largest angle, in degrees, either way.
        scale: Largest relative change of size along each axis; 0.1 draws from 0.9 to 1.1.
        shear: Largest horizontal slant, in degrees, either way.
        shift: Largest displacement along each axis, in pixels, either way.
        elastic: Standard deviation of the elastic displacement of the control points, in pixels;
            0 switches elastic distortion off.
    """

    rotation: float = 10.0
    scale: float = 0.1
    shear: float = 5.0
    shift: float = 2.0
    elastic: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"--data.augmentation.{name} must be zero or more, not {value}")
        if self.scale >= 1:
            raise ValueError(f"--data.augmentation.scale must be below 1, not {self.scale}")

    def draw(self, n: int, generator: Generator) -> Warp:
        """Draw the distortions of ``n`` images.

        Args:
            n: Number of images.
            generator: A CPU generator; equal states give equal distortions.
        """
        unit = 2 * torch.rand(n, 6, generator=generator) - 1
        angle = torch.deg2rad(self.rotation * unit[:, 0])
        slant = torch.tan(torch.deg2rad(self.shear * unit[:, 1]))
        # Sampling works backwards, from output to input: an image grows where the grid shrinks.
        zoom_x, zoom_y = (1 / (1 + self.scale * unit[:, 2:4])).unbind(dim=1)
        shift_x, shift_y = (unit[:, 4:6] * self.shift * 2 / SIZE).unbind(dim=1)
        cos, sin = torch.cos(angle), torch.sin(angle)
        # Zoom after rotation after shear, written out: batched matrix products are slow.
        row_x = torch.stack([zoom_x * cos, zoom_x * (cos * slant - sin), shift_x], dim=1)
        row_y = torch.stack([zoom_y * sin, zoom_y * (sin * slant + cos), shift_y], dim=1)
        affine = torch.stack([row_x, row_y], dim=1)
        if not self.elastic:
            return Warp(affine, None)
        shape = (n, 2, CONTROL_POINTS, CONTROL_POINTS)
        elastic = torch.randn(shape, generator=generator) * (self.elastic * 2 / SIZE)
        return Warp(affine, elastic)


def apply_warp(images: Tensor, warp: Warp) -> Tensor:
    """Distort a batch, on the device it is on.

    Args:
        images: uint8 ``(N, 1, 28, 28)``.
        warp: The distortions of these ``N`` images, on the same device.

    Returns:
        uint8 ``(N, 1, 28, 28)``, bilinearly resampled, background where the grid leaves the image.
    """
    grid = F.affine_grid(warp.affine, list(images.shape), align_corners=False)
    if warp.elastic is not None:
        basis = _spline_basis(images.device)
        field = basis @ warp.elastic @ basis.T
        grid = grid + field.permute(0, 2, 3, 1)
    warped = F.grid_sample(images.float(), grid, "bilinear", "zeros", align_corners=False)
    return warped.round_().to(torch.uint8)


@lru_cache(maxsize=4)
def _spline_basis(device: torch.device) -> Tensor:
    """Weights ``(28, CONTROL_POINTS)`` that spread control points over pixels, smoothly (cubic)."""
    identity = torch.eye(CONTROL_POINTS).unsqueeze(1)  # (control points, 1, control points)
    wide = identity.unsqueeze(2)  # bicubic interpolation is offered for images only
    spread = F.interpolate(wide, size=(1, SIZE), mode="bicubic", align_corners=True)
    return spread[:, 0, 0].T.contiguous().to(device)
