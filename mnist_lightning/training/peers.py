"""What the loss of another process looks like from here."""

import torch.distributed as dist

#: Words of gloo about a connection that ended or a process that did not answer in time.
_GLOO = (
    "Connection closed by peer",
    "Connection reset by peer",
    "Timed out waiting",
    "Broken pipe",
)


def lost_peer(error: RuntimeError) -> bool:
    """Return whether an error says that another process of this training is dead or hangs.

    Args:
        error: Raised by a collective operation, e.g. the averaging of gradients.
    """
    return isinstance(error, dist.DistBackendError) or any(word in str(error) for word in _GLOO)
