"""The number of threads of a run: the user's choice, else that of the checkpoint, else torch's."""

import logging
import os
from collections.abc import Mapping
from typing import Any

import torch

from mnist_lightning.training.history import History

log = logging.getLogger(__name__)


def set_threads(wanted: int | None, checkpoint: Mapping[str, Any] | None = None) -> None:
    """Set the number of threads that torch uses within one operation.

    It never depends on how busy the machine is: the same seed gives the same weights to the last
    bit only with the same number of threads, because that decides the order of additions. A
    resumed run therefore uses the number of its checkpoint.

    Args:
        wanted: The user's choice, at least 1; None for the number of the checkpoint or, in a new
            run, torch's default.
        checkpoint: The checkpoint that the run resumes from.
    """
    callbacks = (checkpoint or {}).get("callbacks", {})
    saved = callbacks.get(History.__qualname__, {}).get("threads")
    if not isinstance(saved, int) or saved < 1:
        saved = None
    cores = os.cpu_count() or 1
    if wanted is None and saved is not None and saved > cores:
        log.warning(
            "The checkpoint was trained with %d threads and this machine has %d cores: the resumed "
            "run will not have the same weights to the last bit",
            saved,
            cores,
        )
        return
    if wanted is not None and saved not in (None, wanted):
        log.warning(
            "--threads %d, but the checkpoint was trained with %d threads: the resumed run will "
            "not have the same weights to the last bit",
            wanted,
            saved,
        )
    threads = saved if wanted is None else wanted
    if threads is not None:
        torch.set_num_threads(threads)
        # Without it, Lightning divides the cores among the processes that it starts.
        os.environ["OMP_NUM_THREADS"] = str(threads)
