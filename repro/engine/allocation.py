"""What the C library does with the memory that tensors on a CPU give back."""

from __future__ import annotations

import ctypes
import platform
from functools import cache

HEAP = 2**25  # bytes: smaller blocks come from the heap, larger ones are mapped one by one

# malloc.h: the size from which blocks are mapped, fixed; the heap never shrinks, and grows by 64 MiB
SETTINGS = {"M_MMAP_THRESHOLD": (-3, HEAP), "M_TRIM_THRESHOLD": (-1, 2**31 - 1), "M_TOP_PAD": (-2, 2**26)}


@cache
def keep_small_blocks() -> bool:
    """Has glibc keep freed blocks up to 32 MiB for later tensors. Returns whether it does (not another C library).

    Left alone it gives them back to the system, which clears each page when it is taken again: a tenth of the time of
    a step. Were larger ones kept as well, the holes that they leave in the heap would take two thirds of the tensors'
    size once more, and nobody could foretell how much.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return all(libc.mallopt(number, value) for number, value in SETTINGS.values())
