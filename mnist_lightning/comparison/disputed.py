"""The images that tell models apart."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mnist_lightning.comparison.schema import Answer, DisputedImage

MAX_DISPUTED = 60


def find_disputed(
    probabilities: Sequence[npt.NDArray[np.float32]], labels: npt.NDArray[np.int64]
) -> tuple[int, tuple[DisputedImage, ...]]:
    """Find the images that some models get right and others wrong.

    Args:
        probabilities: float32, ``(N, 10)``, of each model for the same images.
        labels: int64, ``(N,)``, each 0 to 9.

    Returns:
        How many there are, and at most sixty of them: first those where a model that is wrong is
        surest, equal ones in their order.
    """
    stacked = np.stack(probabilities)  # (models, N, 10)
    predicted, confidence = stacked.argmax(axis=2), stacked.max(axis=2)
    right = predicted == labels
    places = np.flatnonzero(right.any(axis=0) & ~right.all(axis=0))
    surest_error = np.where(right, 0, confidence).max(axis=0)
    order = places[np.argsort(-surest_error[places], kind="stable")][:MAX_DISPUTED]
    return len(places), tuple(
        DisputedImage(
            index=int(place),
            label=int(labels[place]),
            answers=tuple(
                Answer(int(digit), float(sure))
                for digit, sure in zip(predicted[:, place], confidence[:, place], strict=True)
            ),
        )
        for place in order
    )
