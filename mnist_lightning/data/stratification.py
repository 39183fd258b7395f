"""Random splits and subsets that keep the proportions of the digits."""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

#: The same for all splits and runs: all models are validated, calibrated and tested on the same
#: images, and networks of several seeds can be averaged.
SPLIT_SEED = 0


def stratified_split(labels: Integers, held_out: float) -> tuple[Integers, Integers]:
    """Split images at random so that both parts keep the proportions of the digits.

    Args:
        labels: int64, ``(N,)``.
        held_out: Size of the second part: a number of images, or a share below 1.

    Returns:
        The indices of both parts, int64, in random order.

    Raises:
        ValueError: There are too few images of a digit.
    """
    # Here, since readers of files need this module, and not the seconds of this import.
    from sklearn.model_selection import train_test_split

    first, second = train_test_split(
        np.arange(len(labels)), test_size=held_out, stratify=labels, random_state=SPLIT_SEED
    )
    return first, second


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
