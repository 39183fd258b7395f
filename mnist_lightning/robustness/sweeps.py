"""Distortions of growing strength: turned, shifted and noisy digits; strength 0 changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from math import radians

from mnist_lightning.robustness.affine import rotate, shift
from mnist_lightning.robustness.draws import Draws, Integers, Pixels
from mnist_lightning.robustness.noise import gaussian_noise


@dataclass(frozen=True)
class Sweep:
    """One kind of distortion at several strengths.

    Attributes:
        name: ``rotation``, ``shift`` or ``noise``; it also chooses the random numbers.
        unit: What ``strengths`` count, for the axis of a figure.
        strengths: In growing order, without 0, at which nothing changes.
        apply: Distorts images by a strength.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    apply: Callable[[Pixels, Draws, float], Pixels]

    def __call__(self, images: Pixels, indices: Integers, seed: int, strength: float) -> Pixels:
        """Distort images.

        Args:
            images: uint8, ``(N, 28, 28)``.
            indices: int64, ``(N,)``: which image each one is. The direction and the noise of an
                image are the same at every strength.
            seed: Seed of the random numbers, at least 0.
            strength: At least 0, in ``unit``.

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
