"""The test images on which models disagree."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mnist_lightning.comparison.schema import DisputedImage, ModelPrediction

MAX_DISPUTED = 60


def find_disputed(
    probabilities: Sequence[npt.NDArray[np.floating]], labels: npt.NDArray[np.int64]
) -> tuple[int, tuple[DisputedImage, ...]]:
    """Find the images that some models classify correctly and others do not.

    Args:
        probabilities: Floats, ``(N, 10)``, of each model for the same images.
        labels: int64, ``(N,)``, each 0 to 9.

    Returns:
        The number of such images, and at most sixty of them, sorted by the highest confidence of a
        wrong prediction, descending; ties keep the order of the images.
    """
    stacked = np.stack(probabilities)  # (models, N, 10)
    predicted, confidence = stacked.argmax(axis=2), stacked.max(axis=2)  # (models, N)
    correct = predicted == labels
    disputed = np.flatnonzero(correct.any(axis=0) & ~correct.all(axis=0))
    worst = np.where(correct, 0, confidence).max(axis=0)
    shown = disputed[np.argsort(-worst[disputed], kind="stable")][:MAX_DISPUTED]
    return len(disputed), tuple(
        DisputedImage(
            index=int(index),
            label=int(labels[index]),
            answers=tuple(
                map(ModelPrediction, predicted[:, index].tolist(), confidence[:, index].tolist())
            ),
        )
        for index in shown
    )
