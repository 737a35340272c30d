"""What the processes of a run have in common: the same weights, and word of what happens on any of them."""

from __future__ import annotations

from functools import cache
from itertools import chain
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

DRIFT = 1e-4  # relative difference of the checksums of a tensor that rounding cannot explain


@torch.no_grad()
def broadcast(module: nn.Module) -> None:
    """Gives every process the main one's parameters and buffers."""
    for tensor in chain(module.parameters(), module.buffers()):
        sent = tensor.contiguous()
        dist.broadcast(sent, src=0)
        tensor.copy_(sent)


def drifted(module: nn.Module) -> list[int]:
    """The ranks of the processes whose copy of the module differs from the main one's by more than rounding."""
    own = torch.stack([sums for tensor in module.state_dict().values() for sums in _sums(tensor)]).cpu()
    boxes = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(boxes, own, group=_hosts())
    return [
        rank for rank, box in enumerate(boxes) if not torch.allclose(box, boxes[0], rtol=DRIFT, atol=DRIFT)
    ]


def on_any(processes: int, *flags: bool) -> list[bool]:
    """Each flag, true if it is on any process. Asks the hosts, so that the devices go on working."""
    if processes == 1:
        return [*flags]
    word = torch.tensor(flags, dtype=torch.int32)
    dist.all_reduce(word, dist.ReduceOp.MAX, group=_hosts())
    return [bool(flag) for flag in word.tolist()]


def _sums(x: Tensor) -> tuple[Tensor, Tensor]:
    wide = x.double()
    return wide.sum() / max(1, x.numel()) ** 0.5, wide.norm()


@cache
def _hosts() -> Any:
    """The group of the processes that speaks over their hosts; first asked for by all of them at once."""
    return dist.group.WORLD if dist.get_backend() == "gloo" else dist.new_group(backend="gloo")
