"""What was needed for a while goes back to the system (归还内存)."""

import ctypes

import pyarrow as pa


def give_back() -> None:
    """Return freed memory to the system, where the C library can (glibc); elsewhere only Arrow's.

    Making the figures of a large city takes gigabytes of small objects for a while; after that most pages of the heap
    are empty, but glibc gives back only what lies at its end.
    """
    pa.default_memory_pool().release_unused()
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return
    trim(0)
