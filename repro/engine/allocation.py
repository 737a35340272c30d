"""What the C library does with the memory that tensors on a CPU give back."""

from __future__ import annotations

import ctypes
import platform
from functools import cache

# malloc.h: no mapping of single blocks, 2 GiB kept at the top of the heap, which grows by 256 MiB
SETTINGS = {"M_MMAP_MAX": (-4, 0), "M_TRIM_THRESHOLD": (-1, 2**31 - 1), "M_TOP_PAD": (-2, 2**28)}


@cache
def keep_freed_memory() -> bool:
    """Has glibc keep freed memory for the tensors that follow. Returns whether it does (not another C library).

    Left alone it maps every large tensor anew and unmaps it, and the system clears each page: half a million pages
    in a step of ResNet-18 on 512 views, an eighth of the step's time.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return all(libc.mallopt(number, value) for number, value in SETTINGS.values())
