"""How many samples fit: an estimate without computing anything, from the sizes of what a forward pass keeps."""

from __future__ import annotations

from typing import Any

import psutil
import torch
from torch import Tensor, nn

from repro import components
from repro.data.load import ImageSet
from repro.engine.method import call
from repro.engine.plan import BatchPlan
from repro.engine.setup import Setup
from repro.networks.build import build

SHARE = 0.9  # of the memory that is free; the rest is for fragments and workspaces
OPTIMIZER_STATES = {"sgd": 1, "adam": 2, "adamw": 2}


def needs(options: Any, data: ImageSet) -> tuple[int, int]:
    """(fixed bytes, bytes per sample) of training with a `train` stage's options, in fp32.

    Fixed are weights, gradients and optimizer state; per sample are the views and what the forward pass
    keeps for the backward pass. The pass is made on torch's meta device, so it takes no time and no memory.
    """
    with torch.device("meta"):
        network = build(options.network, data, options.views.size)
        method = components.load(("methods",), options.method.name)(options.method, *network)
    weights = sum(p.numel() * p.element_size() for p in method.parameters())
    fixed = weights * (2 + OPTIMIZER_STATES[options.optimizer.name])
    few, more = (_kept(method, _views(options, data, n)) for n in (2, 4))
    return fixed, (more - few) // 2


def micro_batch(plan: BatchPlan, fixed: int, each: int, memory: float) -> int | None:
    """The largest micro-batch that fits into `memory` bytes; None when a process's whole share fits.

    At least one sample: whether even that is too much shows when it is tried.
    """
    fits = max(1, int((memory * SHARE - fixed) // each))
    if max(plan.shares(plan.size)) <= fits:
        return None
    return fits // plan.span * plan.span or fits


def chosen(options: Any, data: ImageSet, setup: Setup, plan: BatchPlan) -> int | None:
    """The micro-batch for a `train` stage on this machine; None when no gradient caching is needed."""
    fixed, each = needs(options, data)
    halved = 2 if setup.precision == "bf16" else 1  # the network's activations are in half precision
    return setup.agree(micro_batch(plan, fixed, each // halved, free(setup)))


def free(setup: Setup) -> float:
    """Bytes that this process may use: those free on its GPU, or its share of the host's."""
    if setup.device.type == "cuda":
        return float(torch.cuda.mem_get_info(setup.device)[0])
    return psutil.virtual_memory().available / setup.processes


def _views(options: Any, data: ImageSet, n: int) -> Tensor:
    channels, height, width = data.images.shape[1:]
    size = options.views.size
    return torch.empty(n, options.views.count, channels, size or height, size or width, device="meta")


def _kept(method: nn.Module, views: Tensor) -> int:
    """Bytes of the views and of the distinct tensors that a forward pass saves for the backward pass."""
    kept: dict[int, int] = {}
    weights = {id(p) for p in method.parameters()}

    def note(x: Tensor) -> Tensor:
        if id(x) not in weights:
            kept[x.untyped_storage()._cdata] = x.numel() * x.element_size()
            alive.append(x)  # the address of a storage is only its own while it lives
        return x

    alive: list[Tensor] = []
    facts = {"views": views, "label": torch.zeros(len(views), dtype=torch.long, device="meta")}
    with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
        outputs = call(method.embed, facts | {"index": facts["label"]})  # type: ignore[arg-type]
        alive.extend(outputs.values())
    return views.numel() * views.element_size() + sum(kept.values())
