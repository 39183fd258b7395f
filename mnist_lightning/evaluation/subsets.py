"""How accurate models are that average some of many."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def subset_accuracies(
    probabilities: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    subsets: Sequence[tuple[int, ...]],
) -> list[float]:
    """Measure the mean of the probabilities of each subset of models.

    Args:
        probabilities: float32, ``(K, N, 10)``, of K models for the same N images.
        labels: int64, ``(N,)``, 0 to 9.
        subsets: Places among the K, at least one in each subset.

    Returns:
        The accuracy of each subset, 0 to 1, in order.
    """
    # In double precision: a sum shall not depend on the order of the models.
    exact = probabilities.astype(np.float64)
    return [
        float((exact[list(subset)].sum(axis=0).argmax(axis=1) == labels).mean())
        for subset in subsets
    ]
