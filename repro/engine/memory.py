"""How much memory training takes, and how many samples fit.

The rehearsal of a step counts what is alive at once (see `repro.engine.rehearse`). What it cannot see is measured:
`python -m repro.bench memory` compares the prediction with the true peak of many recipes, and the constants below
follow from that (its table is in `repro/bench/memory.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from math import prod
from typing import Any

import psutil
import torch

from repro.data.declare import declaration
from repro.engine.plan import batch_plan
from repro.engine.rehearse import Peak, Place, method, peak
from repro.engine.setup import Setup
from repro.options import TrainingOptions, Views
from repro.recipes.schema import Recipe

# Measured on a processor with AVX-512 and without AMX; the workspaces of kernels may differ on others.
STARTED = 70 * 2**20  # what the first steps of a process add on a CPU: compiled kernels, buffers of threads
HOLES = {"cpu": 1.5, "cuda": 1.1}  # what tensors take, small ones of a CPU's heap, all of a GPU's cache
ENTRY = 8  # bytes of a number that is not a pixel, at most
MAPPED = 1.05  # what large ones take on a CPU, with the workspaces of kernels


def place(setup: Setup) -> Place:
    """Where a run with this set-up runs."""
    return Place(setup.device.type, setup.precision, setup.processes)


def micro_batch(recipe: Recipe, stage: str, place: Place, limit: float | None) -> int | None:
    """The micro-batch with which a process of the stage takes at most `limit` bytes.

    None when its share fits whole, there is no limit, or it cannot be told (see `rehearsed`).

    It divides the share into the fewest chunks, of whole BatchNorm groups if one fits, and of one sample at least:
    whether even that is too much shows when it is tried.
    """
    options = recipe.stages[stage]
    if limit is None or not isinstance(options, TrainingOptions) or not rehearsed(options):
        return None
    plan = batch_plan(options.batch, place.processes)
    share = max(plan.shares(plan.size))

    def sized(chunks: int) -> int:
        most = -(-share // chunks)
        return most // plan.span * plan.span or most

    chunks = fewest(share, lambda n: predicted(recipe, stage, place, sized(n)) <= limit)
    return sized(chunks) if chunks > 1 else None


def rehearsed(options: TrainingOptions) -> bool:
    """Whether a stage's steps can be rehearsed: so far of images in one stream only."""
    return isinstance(getattr(options, "views", None), Views) and not options.streams


def fewest(most: int, suffice: Callable[[int], bool]) -> int:
    """The smallest n in 1..most with suffice(n), if more suffice as well; `most` when nothing does."""
    high = 1
    while high < most and not suffice(high):
        high = min(2 * high, most)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffice(middle) else (middle, high)
    return high


def predicted(recipe: Recipe, stage: str, place: Place, micro_batch: int | None = None) -> float:
    """Bytes that a process of the stage, which trains, takes at its peak on its device."""
    declared = declaration(str(recipe.dataset))
    tensors = taken(peak_of(recipe, stage, place, micro_batch), place.device)
    kept = 0 if declared.varied else images(recipe, stage, place.device, declared.splits)
    if place.device == "cuda":
        return tensors + kept
    return max(tensors, loading(base(recipe, stage), str(recipe.dataset))) + kept + started()


def taken(peak: Peak, device: str) -> float:
    """Bytes that the process takes for tensors on a kind of device.

    Holes are left by what comes and goes only. A heap does not shrink, but what is freed is used again.
    """
    holes = HOLES[device]
    if device == "cuda":
        return holes * (peak.standing + peak.together)
    return peak.standing + min(holes * peak.small + MAPPED * peak.large, holes * peak.together)


def peak_of(recipe: Recipe, stage: str, place: Place, micro_batch: int | None = None) -> Peak:
    """See `rehearse.peak`."""
    options: Any = recipe.stages[stage]
    plan = batch_plan(options.batch, place.processes, micro_batch)
    return peak(options, tuple(recipe.stages.items()), str(recipe.dataset), place, plan)


def base(recipe: Recipe, stage: str) -> Any:
    """The options of the stage that another builds on; None if it does not."""
    return recipe.stages.get(getattr(recipe.stages[stage], "of", ""))


@cache
def started() -> int:
    """Bytes that this process holds, on a CPU, with libraries loaded and before any data, and what it will add."""
    return psutil.Process().memory_info().rss + STARTED


@cache
def loading(of: Any, dataset: str) -> int:
    """Bytes of the network of the stage `of` while another reads it: with its head, as made and as in the file."""
    if of is None:
        return 0
    with torch.device("meta"):
        made = method(of, {}, dataset)
    return 2 * sum(x.nbytes for x in made.state_dict().values())


def loaded_by(recipe: Recipe, stage: str) -> set[str]:
    """The splits that have been loaded by the time that a stage trains: those of the stages before it, too."""
    loaded: set[str] = set()
    for name, options in recipe.stages.items():
        loaded |= {*options.splits}
        if name == stage:
            break
    return loaded


def images(recipe: Recipe, stage: str, device: str, splits: Mapping[str, int]) -> int:
    """Bytes of the images that are on the device while the stage trains, with so many in each split.

    On a CPU they are those that have been loaded and the part of them that the stage copies, if it trains on a part.
    """
    options, declared = recipe.stages[stage], declaration(str(recipe.dataset))
    if declared.fields:
        return sum(splits[name] for name in loaded_by(recipe, stage)) * ENTRY * declared.shape[0]
    split, part = getattr(options, "split", "train"), getattr(options, "fraction", 1.0)
    seen = splits[split] if part == 1 else max(round(part * splits[split]), declared.classes_in(split))
    loaded = sum(splits[name] for name in loaded_by(recipe, stage)) if device == "cpu" else 0
    return (loaded + seen * (device == "cuda" or part < 1)) * prod(declared.shape)
