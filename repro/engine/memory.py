"""How many samples fit: an estimate without computing anything, from the sizes of what a forward pass keeps."""

from __future__ import annotations

from functools import cache
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from repro import components
from repro.engine.method import call
from repro.engine.plan import BatchPlan
from repro.engine.setup import Setup
from repro.networks.build import build
from repro.options import Views

SHARE = 0.9  # of the memory that is free; the rest is for fragments and workspaces
OPTIMIZER_STATES = {"sgd": 1, "lars": 1, "adam": 2, "adamw": 2}


@cache
def needs(options: Any, image: tuple[int, int, int], classes: int) -> tuple[int, int]:
    """(fixed bytes, bytes per sample) of training with a `train` stage's options on images (C, H, W), in fp32.

    Fixed are weights, gradients and optimizer state; per sample are the views and what the forward pass
    keeps for the backward pass. The pass is made on torch's meta device, so it takes no time and no memory.
    """
    shape = options.views.shape(image)
    with torch.device("meta"):
        network = build(options.network, shape, classes)
        method = components.load(("methods",), options.method.name)(options.method, *network)
    weights = sum(p.numel() * p.element_size() for p in method.parameters())
    fixed = weights * (2 + OPTIMIZER_STATES[options.optimizer.name])
    few, more = (_kept(method, blank_views(options.views, image, n, "meta")) for n in (2, 4))
    return fixed, (more - few) // 2


def micro_batch(plan: BatchPlan, fixed: int, each: int, memory: float) -> int | None:
    """The largest micro-batch that fits into `memory` bytes; None when a process's whole share fits.

    At least one sample: whether even that is too much shows when it is tried.
    """
    fits = max(1, int((memory * SHARE - fixed) // each))
    if max(plan.shares(plan.size)) <= fits:
        return None
    return fits // plan.span * plan.span or fits


def chosen(
    options: Any, image: tuple[int, int, int], classes: int, setup: Setup, plan: BatchPlan
) -> int | None:
    """The micro-batch for a `train` stage on this machine; None when no gradient caching is needed."""
    fixed, each = needs(options, image, classes)
    return setup.agree(micro_batch(plan, fixed, each, room(setup)))


def room(setup: Setup) -> float:
    """Bytes that this process may use (those free on its GPU, or its share of the host's), in terms of fp32.

    In bf16 the activations, which are nearly all, take half as much: there is room for twice as many.
    """
    if setup.device.type == "cuda":
        free = float(torch.cuda.mem_get_info(setup.device)[0])
    else:
        free = psutil.virtual_memory().available / setup.processes
    return 2 * free if setup.precision == "bf16" else free


def blank_views(
    options: Views, image: tuple[int, int, int], n: int, device: torch.device | str
) -> dict[str, Tensor]:
    """Views of `n` images (C, H, W) as a method gets them, all zero."""
    kinds = {"views": options} | ({"local": options.local} if options.local else {})
    return {k: torch.zeros(n, v.count, *v.shape(image), device=device) for k, v in kinds.items()}


def _kept(method: nn.Module, views: dict[str, Tensor]) -> int:
    """Bytes of the views and of the distinct tensors that a forward pass saves for the backward pass."""
    kept: dict[int, int] = {}
    weights = {id(p) for p in method.parameters()}

    def note(x: Tensor) -> Tensor:
        if id(x) not in weights:
            kept[x.untyped_storage()._cdata] = x.numel() * x.element_size()
            alive.append(x)  # the address of a storage is only its own while it lives
        return x

    alive: list[Tensor] = []
    label = torch.zeros(len(views["views"]), dtype=torch.long, device="meta")
    with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
        outputs = call(method.embed, {**views, "label": label, "index": label})  # type: ignore[arg-type]
        alive.extend(outputs.values())
    return sum(v.numel() * v.element_size() for v in views.values()) + sum(kept.values())
