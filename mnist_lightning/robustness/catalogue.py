"""The fifteen corruptions by name, with their severities and the one that MNIST-C uses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mnist_lightning.data.digits import Pixels
from mnist_lightning.robustness.affine import rotate, scale, shear, translate
from mnist_lightning.robustness.blur import glass_blur, motion_blur
from mnist_lightning.robustness.draws import Draws, Integers
from mnist_lightning.robustness.noise import impulse_noise, shot_noise
from mnist_lightning.robustness.strokes import canny_edges, dotted_line, stripe, zigzag
from mnist_lightning.robustness.weather import brightness, fog, spatter

Apply = Callable[[Pixels, Draws], Pixels]


@dataclass(frozen=True)
class Corruption:
    """One corruption.

    Attributes:
        name: As in MNIST-C, e.g. ``glass_blur``; it also selects the random numbers.
        levels: The function of each severity, from 1; a single one if there are no severities.
        severity: The severity that MNIST-C uses, from 1; None if there are no severities.
    """

    name: str
    levels: tuple[Apply, ...]
    severity: int | None = None

    def __call__(
        self, images: Pixels, indices: Integers, seed: int, severity: int | None = None
    ) -> Pixels:
        """Corrupt images.

        Args:
            images: uint8, ``(N, 28, 28)``, 0 is background and 255 is ink; not modified.
            indices: int64, ``(N,)``, the index of each image, e.g. its position among the test
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


def _corruption(
    apply: Callable[..., Pixels], severity: int | None = None, **arguments: Sequence[float]
) -> Corruption:
    """Name a corruption after its function; ``arguments`` are lists over the severities."""
    levels = [
        partial(apply, **dict(zip(arguments, values, strict=True)))
        for values in zip(*arguments.values(), strict=True)
    ]
    return Corruption(apply.__name__, tuple(levels) or (apply,), severity)


def corrupt(
    images: Pixels,
    name: str,
    severity: int | None = None,
    *,
    seed: int = 0,
    indices: Integers | None = None,
) -> Pixels:
    """Corrupt any images, such as training images that were held out.

    The result is determined by the arguments alone: it depends neither on the batch nor on the
    order of calls. All fifteen take about half a minute for 10,000 images on one core.

    Args:
        images: uint8, ``(N, 28, 28)``, 0 is background and 255 is ink; not modified.
        name: A corruption of MNIST-C, e.g. ``glass_blur``.
        severity: 0 for a copy, 1 to 5, or None for the one that MNIST-C uses.
        seed: Seed of the random numbers, at least 0.
        indices: int64, ``(N,)``, at least 0: the index of each image, which selects its random
            numbers; None for 0 to N - 1. Pass those of a subset to corrupt it like the whole.

    Returns:
        uint8, ``(N, 28, 28)``.

    Raises:
        ValueError: There is no such corruption or severity.
    """
    if name not in BY_NAME:
        raise ValueError(f"there is no corruption {name!r}: choose from {', '.join(BY_NAME)}")
    chosen = np.arange(len(images)) if indices is None else indices
    return BY_NAME[name](images, chosen, seed, severity)


_ANGLES = (0.2, 0.4, 0.6, 0.8, 1.0)

CORRUPTIONS: tuple[Corruption, ...] = (
    _corruption(shot_noise, 5, photons=(60, 25, 12, 5, 3)),
    _corruption(impulse_noise, 4, amount=(0.03, 0.06, 0.09, 0.17, 0.27)),
    _corruption(
        glass_blur,
        1,
        sigma=(0.7, 0.9, 1.0, 1.1, 1.5),
        distance=(1, 2, 2, 3, 4),
        iterations=(2, 1, 3, 2, 2),
    ),
    # Twice ImageMagick's radius, which is half the width of a kernel that lies on one side.
    _corruption(motion_blur, 1, length=(20, 30, 30, 30, 40), sigma=(3, 5, 8, 12, 15)),
    _corruption(shear, 2, radians=_ANGLES),
    _corruption(scale, 3, factor=(0.9, 0.8, 0.7, 0.6, 0.5)),
    _corruption(rotate, 2, radians=_ANGLES),
    _corruption(brightness, 5, amount=(0.1, 0.2, 0.3, 0.4, 0.5)),
    _corruption(translate, 3, pixels=(1, 2, 3, 4, 5)),
    _corruption(stripe),
    _corruption(fog, 5, amount=(1.5, 2.0, 2.5, 2.5, 3.0), decay=(2.0, 2.0, 1.7, 1.5, 1.4)),
    _corruption(
        spatter,
        4,
        mean=(0.65, 0.65, 0.65, 0.65, 0.67),
        deviation=(0.3, 0.3, 0.3, 0.3, 0.4),
        smoothing=(4, 3, 2, 1, 1),
        level=(0.69, 0.68, 0.68, 0.65, 0.65),
        blur=(0.6, 0.6, 0.5, 1.5, 1.5),
    ),
    _corruption(dotted_line),
    _corruption(zigzag),
    _corruption(canny_edges),
)

BY_NAME = {corruption.name: corruption for corruption in CORRUPTIONS}
