"""Reasons to give up a step that is under way; nothing of it has changed the run."""

from __future__ import annotations

import torch


class Interrupted(Exception):
    """It is time to stop; the step is made again when the run is resumed."""


class OutOfMemory(Exception):
    """The memory of one of the processes did not suffice; the step is made again in smaller chunks."""


WORDS = ("DefaultCPUAllocator: ", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of a device, or of the host, did not suffice."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in WORDS)
