"""The memory layout in which convolutions are fastest."""

from __future__ import annotations

from itertools import chain

import torch
from torch import nn

FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}  # by the number of a tensor's dimensions


def channels_last(module: nn.Module) -> None:
    """Lays out weights and buffers of four and five dimensions with the channels last, in place."""
    for tensor in chain(module.parameters(), module.buffers()):
        if tensor.dim() in FORMATS:
            tensor.data = tensor.data.to(memory_format=FORMATS[tensor.dim()])
