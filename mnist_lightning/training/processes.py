"""Which of the processes of a training this is, and how it leaves the others."""

from lightning.pytorch.utilities import rank_zero_only
from torch import distributed


def is_first_process() -> bool:
    """Return whether this process has rank 0, the one that prints and writes files."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def end_process_group() -> None:
    """Leave the processes of a distributed training, if this is one; Lightning does not.

    Otherwise a thread of gloo may still hold a tensor when the interpreter ends, which then aborts
    ("terminate called without an active exception", pytorch/pytorch#179291). Not after an error:
    this process would wait for others that it has left alone.
    """
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
