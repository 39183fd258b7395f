"""Seeds of independent streams of random numbers, each identified by a few whole numbers."""

import numpy as np


def stream_seed(*numbers: int, spawn_key: tuple[int, ...] = ()) -> int:
    """Return the seed of the stream that these numbers identify.

    Args:
        numbers: For example (seed, epoch, step); each at least 0. Streams with
            different numbers are unrelated (``numpy.random.SeedSequence``).
        spawn_key: Separates streams from all those of the same numbers with another key.

    Returns:
        0 to below 2**63, as torch's generators take it.
    """
    sequence = np.random.SeedSequence(numbers, spawn_key=spawn_key)
    return int(sequence.generate_state(1, np.uint64)[0]) >> 1
