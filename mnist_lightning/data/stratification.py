"""Random subsets that keep the proportions of the digits."""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


def stratified_subset(labels: Integers, limit: int, seed: int) -> Integers:
    """Draw a random subset that keeps the proportions of the digits.

    The subsets of one seed are nested: a smaller one is a part of every larger one.

    Args:
        labels: int64, ``(N,)``.
        limit: Size of the subset, at least 1; with N or more, all images are taken.
        seed: Seed of the draw.

    Returns:
        The indices, int64, ``(min(N, limit),)``, in ascending order.
    """
    if limit >= len(labels):
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    # The rank of each image within its digit, as a share: the smallest are a stratified subset.
    ranks = np.empty(len(labels))
    for digit in np.unique(labels):
        members = order[labels[order] == digit]
        ranks[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.sort(order[np.argsort(ranks[order], kind="stable")][:limit]).astype(np.int64)
