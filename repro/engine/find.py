"""The largest micro-batch that fits, by trying (GPU) or by estimating (CPU, where trying would end in a kill)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from repro import components
from repro.data.load import ImageSet
from repro.engine.memory import SHARE, blank_views, needs, room
from repro.engine.method import call
from repro.engine.setup import Setup
from repro.networks.build import build


def largest_micro_batch(options: Any, data: ImageSet, setup: Setup) -> int:
    """For a `train` stage's options: the most samples, up to the batch, that can be embedded at once."""
    if setup.device.type == "cuda":
        return largest(options.batch.size, _trial(options, data, setup))
    fixed, each = needs(options, data.shape, data.classes)
    return largest(options.batch.size, lambda n: fixed + n * each <= SHARE * room(setup))


def largest(most: int, fits: Callable[[int], bool]) -> int:
    """The largest n in 1..most with fits(n), if fitting n means fitting less; 1 when nothing fits."""
    if fits(most):
        return most
    low, high = 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _trial(options: Any, data: ImageSet, setup: Setup) -> Callable[[int], bool]:
    """Embeds n blank samples and sends a gradient back; False when the memory does not suffice."""
    view = options.views.shape(data.shape)
    network = build(options.network, view, data.classes)
    method = components.load(("methods",), options.method.name)(options.method, *network).to(setup.device)

    def fits(n: int) -> bool:
        try:
            label = torch.zeros(n, dtype=torch.long, device=setup.device)
            views = blank_views(options.views, data.shape, n, setup.device)
            with setup.autocast():
                embedded = call(method.embed, {**views, "label": label, "index": label})
            sum(x.float().sum() for x in embedded.values() if x.requires_grad).backward()
        except torch.OutOfMemoryError:
            return False
        finally:
            method.zero_grad(set_to_none=True)
            torch.cuda.empty_cache()
        return True

    return fits
