"""A setting of glibc's malloc that keeps freed memory for the next training step."""

import ctypes

# From glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> bool:
    """Tell glibc's malloc to keep freed memory instead of returning it to the system.

    Each training step allocates and frees the same large tensors. If malloc returns them in
    between, the kernel has to map and zero every page again, which takes 10 to 17 % of the time of
    ResNet50's features on the CPU (`python -m benchmarks.allocator`). The price: the process keeps
    its peak size until it exits.

    Returns:
        Whether the setting took effect; False where malloc is not glibc's, which is not an error.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not Linux, or another C library
        return False
    # Never trim the heap, and never mmap a large block separately.
    return bool(mallopt(M_TRIM_THRESHOLD, -1)) and bool(mallopt(M_MMAP_MAX, 0))
