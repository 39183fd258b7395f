"""Memory that one step frees is there for the next one."""

import ctypes

# From glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> bool:
    """Tell glibc's malloc to give no freed memory back to the system while the process lives.

    A step allocates and frees the same large tensors as the one before. Given back in between, each
    page of them has to be mapped and filled with zeros anew, which is a tenth to a sixth of the
    time of ResNet50's features on the CPU (`python -m benchmarks.allocator`). The price is that the
    process stays as large as it was at its largest.

    Returns:
        Whether the allocator took it; False where it is not glibc's, which is no error.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not Linux, or another C library
        return False
    # No trimming of the heap, and no mapping of its own for a large block.
    return bool(mallopt(M_TRIM_THRESHOLD, -1)) and bool(mallopt(M_MMAP_MAX, 0))
