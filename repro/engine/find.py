"""The largest micro-batch that fits, by trying (GPU) or by rehearsing (CPU, where trying would end in a kill)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from repro.data.declare import declaration
from repro.engine import memory, rehearse
from repro.engine.method import call
from repro.engine.room import room
from repro.engine.setup import Setup
from repro.recipes.schema import Recipe


def largest_micro_batch(recipe: Recipe, stage: str, setup: Setup) -> int:
    """The most samples, up to the batch, that a stage that trains can put through its network at once.

    On a CPU it is the micro-batch of the plan that a run makes.
    """
    options: Any = recipe.stages[stage]
    if setup.device.type == "cuda":
        return largest(options.batch.size, _trial(recipe, stage, setup))
    return memory.micro_batch(recipe, stage, memory.place(setup), room(setup)) or options.batch.size


def largest(most: int, fits: Callable[[int], bool]) -> int:
    """The largest n in 1..most with fits(n), if fitting n means fitting less; 1 when nothing fits."""
    if fits(most):
        return most
    low, high = 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _trial(recipe: Recipe, stage: str, setup: Setup) -> Callable[[int], bool]:
    """Embeds n blank samples and sends a gradient back; False when the memory does not suffice."""
    options: Any = recipe.stages[stage]
    image = declaration(str(recipe.dataset)).shape
    method = rehearse.method(options, recipe.stages, str(recipe.dataset)).to(setup.device)

    def fits(n: int) -> bool:
        try:
            label = torch.zeros(n, dtype=torch.long, device=setup.device)
            views = rehearse.blank_views(options.views, image, n, setup.device)
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
