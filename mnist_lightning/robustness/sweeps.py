"""Rotation, shift and noise at increasing strengths, from no change at strength 0."""

from collections.abc import Callable
from dataclasses import dataclass
from math import radians

from mnist_lightning.data.digits import Pixels
from mnist_lightning.robustness.affine import rotate, shift
from mnist_lightning.robustness.draws import Draws, Integers
from mnist_lightning.robustness.noise import gaussian_noise


@dataclass(frozen=True)
class Sweep:
    """One distortion at several strengths.

    Attributes:
        name: ``rotation``, ``shift`` or ``noise``; it also selects the random numbers.
        unit: Unit of ``strengths``, for the axis of a figure.
        strengths: The strengths in ascending order, without 0.
        apply: Distorts images with a strength.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    apply: Callable[[Pixels, Draws, float], Pixels]

    def __call__(self, images: Pixels, indices: Integers, seed: int, strength: float) -> Pixels:
        """Distort images.

        Args:
            images: uint8, ``(N, 28, 28)``.
            indices: int64, ``(N,)``, the index of each image, which determines its random numbers.
                The direction and the noise of an image are the same at every strength.
            seed: Seed of the random numbers, at least 0.
            strength: The strength in ``unit``, at least 0.

        Returns:
            uint8, ``(N, 28, 28)``.
        """
        return self.apply(images, Draws(seed, self.name, indices), strength)


SWEEPS: tuple[Sweep, ...] = (
    Sweep(
        "rotation",
        "degrees, either way",
        (10, 20, 30, 40, 50, 60),
        lambda images, draws, degrees: rotate(images, draws, radians(degrees)),
    ),
    Sweep(
        "shift",
        "pixels, one of four ways",
        (1, 2, 3, 4, 5, 6, 7, 8),
        lambda images, draws, pixels: shift(images, draws, int(pixels)),
    ),
    Sweep(
        "noise",
        "standard deviation, share of full ink",
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
        gaussian_noise,
    ),
)
