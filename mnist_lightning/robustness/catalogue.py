"""The fifteen corruptions by name, with their five severities and the one that MNIST-C takes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mnist_lightning.robustness.affine import rotate, scale, shear, translate
from mnist_lightning.robustness.blur import glass_blur, motion_blur
from mnist_lightning.robustness.draws import Draws, Integers, Pixels
from mnist_lightning.robustness.noise import impulse_noise, shot_noise
from mnist_lightning.robustness.strokes import canny_edges, dotted_line, stripe, zigzag
from mnist_lightning.robustness.weather import brightness, fog, spatter

Apply = Callable[[Pixels, Draws], Pixels]


@dataclass(frozen=True)
class Corruption:
    """One corruption.

    Attributes:
        name: As in MNIST-C, e.g. ``glass_blur``; it also chooses the random numbers.
        family: ``noise``, ``blur``, ``affine``, ``weather`` or ``strokes``.
        levels: What it does at each severity, from 1; a single one where it has no severities.
        severity: The severity of MNIST-C, from 1; None where it has none.
    """

    name: str
    family: str
    levels: tuple[Apply, ...]
    severity: int | None = None

    @property
    def title(self) -> str:
        """Its name for people, e.g. ``Glass blur``."""
        return self.name.replace("_", " ").capitalize()

    def __call__(
        self, images: Pixels, indices: Integers, seed: int, severity: int | None = None
    ) -> Pixels:
        """Corrupt images.

        Args:
            images: uint8, ``(N, 28, 28)``, 0 is background and 255 is ink; they are not changed.
            indices: int64, ``(N,)``: which image each one is, e.g. its position among the test
                images. The same image, index and seed always give the same pixels.
            seed: Seed of the random numbers, at least 0.
            severity: 0 for a copy, 1 to 5, or None for that of MNIST-C.

        Returns:
            uint8, ``(N, 28, 28)``.

        Raises:
            ValueError: There is no such severity.
        """
        chosen = (self.severity or 1) if severity is None else severity
        if not 0 <= chosen <= len(self.levels):
            raise ValueError(f"{self.name} has severities 0 to {len(self.levels)}, not {chosen}")
        if chosen == 0:
            return images.copy()
        return self.levels[chosen - 1](images, Draws(seed, self.name, indices))


CORRUPTIONS: tuple[Corruption, ...] = (
    Corruption(
        "shot_noise",
        "noise",
        tuple(partial(shot_noise, photons=count) for count in (60, 25, 12, 5, 3)),
        5,
    ),
    Corruption(
        "impulse_noise",
        "noise",
        tuple(partial(impulse_noise, amount=share) for share in (0.03, 0.06, 0.09, 0.17, 0.27)),
        4,
    ),
    Corruption(
        "glass_blur",
        "blur",
        tuple(
            partial(glass_blur, sigma=sigma, distance=distance, iterations=iterations)
            for sigma, distance, iterations in (
                *((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3)),
                *((1.1, 3, 2), (1.5, 4, 2)),
            )
        ),
        1,
    ),
    Corruption(
        "motion_blur",
        "blur",
        tuple(
            # ImageMagick's radius is half the width of its kernel, all of which lies on one side.
            partial(motion_blur, length=2 * radius, sigma=sigma)
            for radius, sigma in ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))
        ),
        1,
    ),
    Corruption(
        "shear", "affine", tuple(partial(shear, slope=a) for a in (0.2, 0.4, 0.6, 0.8, 1.0)), 2
    ),
    Corruption(
        "scale", "affine", tuple(partial(scale, factor=f) for f in (0.9, 0.8, 0.7, 0.6, 0.5)), 3
    ),
    Corruption(
        "rotate", "affine", tuple(partial(rotate, radians=a) for a in (0.2, 0.4, 0.6, 0.8, 1.0)), 2
    ),
    Corruption(
        "brightness",
        "weather",
        tuple(partial(brightness, amount=share) for share in (0.1, 0.2, 0.3, 0.4, 0.5)),
        5,
    ),
    Corruption(
        "translate", "affine", tuple(partial(translate, pixels=d) for d in (1, 2, 3, 4, 5)), 3
    ),
    Corruption("stripe", "strokes", (stripe,)),
    Corruption(
        "fog",
        "weather",
        tuple(
            partial(fog, amount=amount, decay=decay)
            for amount, decay in ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))
        ),
        5,
    ),
    Corruption(
        "spatter",
        "weather",
        tuple(
            partial(spatter, drops=drops, blur=blur)
            for drops, blur in (
                *(((0.3, 4, 0.69), 0.6), ((0.3, 3, 0.68), 0.6), ((0.3, 2, 0.68), 0.5)),
                *(((0.3, 1, 0.65), 1.5), ((0.4, 1, 0.65), 1.5)),
            )
        ),
        4,
    ),
    Corruption("dotted_line", "strokes", (dotted_line,)),
    Corruption("zigzag", "strokes", (zigzag,)),
    Corruption("canny_edges", "strokes", (canny_edges,)),
)
