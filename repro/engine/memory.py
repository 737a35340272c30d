"""How much memory training takes, and how many samples fit: one step rehearsed on tensors without data.

The rehearsal (see `repro.engine.blank`) counts what is alive at once: weights, gradients, optimizer state, views,
activations, embeddings and the loss of the whole batch, autocast's copies of the weights. What it cannot see is
measured: `python -m repro.bench memory` compares the prediction with the true peak of many recipes, and the constants
below follow from that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any, NamedTuple

import psutil
import torch
from torch import Tensor, nn

from repro import components
from repro.data.declare import declaration
from repro.engine import checkpoint, optim
from repro.engine.allocation import HEAP
from repro.engine.blank import Bytes, Count, Rehearsal
from repro.engine.fit import undoing
from repro.engine.keys import key
from repro.engine.method import Method, call
from repro.engine.plan import BatchPlan, batch_plan
from repro.engine.setup import Setup
from repro.networks.batchnorm import convert
from repro.networks.layout import channels_last
from repro.options import TrainingOptions, Views
from repro.recipes.schema import Recipe
from repro.views.augment import Augment

STARTED = 70 * 2**20  # what the first steps of a process add on a CPU: compiled kernels, buffers of threads
HOLES = {"cpu": 1.5, "cuda": 1.1}  # what tensors take, small ones of a CPU's heap, all of a GPU's cache
MAPPED = 1.05  # what large ones take on a CPU, with the workspaces of kernels


@dataclass(frozen=True)
class Place:
    """Where a stage runs: the kind of device, the precision, and on how many processes."""

    device: str
    precision: str
    processes: int = 1


class Peak(NamedTuple):
    """Bytes of tensors that stay, and the most of those that come and go: small ones, large ones, both together."""

    standing: int
    small: int
    large: int
    together: int

    def taken(self, device: str) -> float:
        """Bytes that the process takes for them on a kind of device.

        Holes are left by what comes and goes only. A heap does not shrink, but what is freed is used again.
        """
        holes = HOLES[device]
        if device == "cuda":
            return holes * (self.standing + self.together)
        return self.standing + min(holes * self.small + MAPPED * self.large, holes * self.together)


def place(setup: Setup) -> Place:
    """Where a run with this set-up runs."""
    return Place(setup.device.type, setup.precision, setup.processes)


def micro_batch(recipe: Recipe, stage: str, place: Place, limit: float | None) -> int | None:
    """The micro-batch with which a process of the stage takes at most `limit` bytes.

    None when its share fits whole, or there is no limit.

    It divides the share into the fewest chunks, of whole BatchNorm groups if one fits, and of one sample at least:
    whether even that is too much shows when it is tried.
    """
    options = recipe.stages[stage]
    if limit is None or not isinstance(options, TrainingOptions):
        return None
    plan = batch_plan(options.batch, place.processes)
    share = max(plan.shares(plan.size))

    def sized(chunks: int) -> int:
        most = -(-share // chunks)
        return most // plan.span * plan.span or most

    chunks = fewest(share, lambda n: predicted(recipe, stage, place, sized(n)) <= limit)
    return sized(chunks) if chunks > 1 else None


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
    tensors = peak_of(recipe, stage, place, micro_batch).taken(place.device)
    kept = 0 if declared.varied else images(recipe, stage, place.device, declared.splits)
    return tensors + kept + (started() if place.device == "cpu" else 0)


def peak_of(recipe: Recipe, stage: str, place: Place, micro_batch: int | None = None) -> Peak:
    """See `peak`."""
    options: Any = recipe.stages[stage]
    plan = batch_plan(options.batch, place.processes, micro_batch)
    return peak(options, base(recipe, stage), str(recipe.dataset), place, plan)


def base(recipe: Recipe, stage: str) -> Any:
    """The options of the stage that another builds on; None if it does not."""
    return recipe.stages.get(getattr(recipe.stages[stage], "of", ""))


@cache
def started() -> int:
    """Bytes that this process holds, on a CPU, with libraries loaded and before any data, and what it will add."""
    return psutil.Process().memory_info().rss + STARTED


def loaded_by(recipe: Recipe, stage: str) -> set[str]:
    """The splits that have been loaded by the time that a stage trains: those of the stages before it, too."""
    loaded: set[str] = set()
    for name, options in recipe.stages.items():
        loaded.add(getattr(options, "split", "train"))
        loaded |= {"test"} if hasattr(options, "of") else set()
        if name == stage:
            break
    return loaded


def images(recipe: Recipe, stage: str, device: str, splits: Mapping[str, int]) -> int:
    """Bytes of the images that are on the device while the stage trains, with so many in each split.

    On a CPU they are those that have been loaded and the part of them that the stage copies, if it trains on a part.
    """
    options, declared = recipe.stages[stage], declaration(str(recipe.dataset))
    split, part = getattr(options, "split", "train"), getattr(options, "fraction", 1.0)
    seen = splits[split] if part == 1 else max(round(part * splits[split]), declared.classes_in(split))
    loaded = sum(splits[name] for name in loaded_by(recipe, stage)) if device == "cpu" else 0
    return (loaded + seen * (device == "cuda" or part < 1)) * prod(declared.shape)


@cache
def peak(options: Any, of: Any, dataset: str, place: Place, plan: BatchPlan) -> Peak:
    """The bytes of tensors that are alive at once on the device in a step of the plan, or beside it.

    The step is rehearsed on the CPU for a GPU too, where, as torch manages the memory, all count as small. `options`
    are those of a stage that trains, `of` those of the stage that it builds on, if it does.
    """
    declared = declaration(dataset)
    samples = declared.splits[getattr(options, "split", "train")]
    with torch.device("meta"):
        made = method(options, of, dataset)
    channels_last(made)
    rehearsal = Rehearsal(HEAP if place.device == "cpu" else sys.maxsize)
    twin = rehearsal.twin(made)
    with rehearsal:
        return _Rehearsed(rehearsal, twin, options, declared.shape, samples, place, plan).peak()


def method(options: Any, of: Any, dataset: str) -> Any:
    """What a stage trains, with fresh weights."""
    declared = declaration(dataset)
    classes = declared.classes_in(getattr(options, "split", "train"))
    return components.load(("stages",), options.kind).method(options, of, declared.shape, classes)


@dataclass
class _Rehearsed:
    """One step as the engine makes it, with the largest chunk in place of all."""

    count: Rehearsal
    method: Method
    options: Any
    image: tuple[int, int, int]
    samples: int
    place: Place
    plan: BatchPlan

    def peak(self) -> Peak:
        method, o = self.method, self.options
        method.apart = o.batch.bn_views == "apart"
        method.begin(self.samples)
        self.span = convert(method)
        optimizer = optim.build(o.optimizer, optim.groups(o.optimizer, method))
        for p in method.parameters():
            p.grad = torch.empty_like(p) if p.requires_grad else None
        optimizer.step()
        state = self._without_gradients(self.count.now)
        views = blank_views(o.views, self.image, max(self.plan.shares(self.plan.size)))
        when = {"step": 10, "total": 20, "epoch": 1, "epochs": 2, "per_epoch": 10}  # all parts train by then
        undo = undoing(method)  # as the engine does, which may give a step up
        call(method.before_step, when)
        embedded = self._step(optimizer, views)
        standing = self.count.now
        call(method.after_step, {**when, **embedded})
        del undo
        copy_to_save(method, optimizer, self.place.device)
        making = self._making_views(standing)
        small, large = self.count.peak.most(making)
        together = max(self.count.together, sum(making)) - sum(state)
        return Peak(sum(state), small - state.small, large - state.large, together)

    def _without_gradients(self, now: Bytes) -> Bytes:
        """What is left of it when the gradients are freed."""
        for p in self.method.parameters():
            now = now if p.grad is None else now.plus(-p.grad.nbytes, self.count.heap)
        return now

    def _facts(self, n: int) -> dict[str, Tensor]:
        index = torch.zeros(n, dtype=torch.int64)
        return {"label": index, "index": index}

    def _step(self, optimizer: torch.optim.Optimizer, views: dict[str, Tensor]) -> dict[str, Tensor]:
        method, plan, cached = self.method, self.plan, self.plan.cached
        method.train()
        optimizer.zero_grad(set_to_none=True)
        facts = self._facts(plan.size)
        if method.shuffles:
            with torch.no_grad():
                facts |= self._whole(self._embed(method.keys, views, facts))
        with torch.set_grad_enabled(not cached):
            part = self._embed(method.embed, views, facts)
        whole = {name: x.requires_grad_(x.is_floating_point()) for name, x in self._whole(part).items()}
        call(method.loss, facts | whole).backward()
        parts = {name: x.detach().clone() for name, x in whole.items()} if cached else {}  # of all chunks
        part = self._embed(method.embed, views, facts) if cached else part
        pairs = [(x, whole[name].grad) for name, x in part.items() if x.requires_grad]
        if pairs := [(x, g[: len(x)]) for x, g in pairs if g is not None]:
            torch.autograd.backward([x for x, _ in pairs], [g for _, g in pairs])
        optim.clip(optimizer, self.options.optimizer.max_norm)
        optimizer.step()
        del parts
        return facts | {name: x.detach() for name, x in whole.items()}

    def _whole(self, part: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the chunk's results are for the whole batch."""
        return {name: x.detach().new_zeros(self.plan.size, *x.shape[1:]) for name, x in part.items()}

    def _embed(
        self, function: Callable[..., Any], views: dict[str, Tensor], facts: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """The largest chunk of this process, embedded; in float32 at least, as the engine hands it on."""
        chunk = max(self.plan.chunks(self.plan.size, 0), key=lambda c: c.stop - c.start)
        n, span = chunk.stop - chunk.start, self.span
        span.groups, span.size, span.total = chunk.groups, self.plan.span, self.plan.size
        span.synchronised = self.plan.synchronised(self.plan.size)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.place.precision == "bf16"):
            embedded = call(function, {name: x[:n] for name, x in (views | facts).items()})
        return {name: x.to(torch.promote_types(x.dtype, torch.float32)) for name, x in embedded.items()}

    def _making_views(self, standing: Bytes) -> Bytes:
        """What is alive while the next step's views are made, beside those of this one."""
        n, shape = max(self.plan.shares(self.plan.size)), self.options.views.shape(self.image)
        size = n * bytes_a_sample(self.options.views, self.image)
        small = 4 * n * prod(shape) < self.count.heap
        return Bytes(standing.small + size * small, standing.large + size * (not small))


def copy_to_save(method: nn.Module, optimizer: torch.optim.Optimizer, device: str) -> None:
    """Makes the copies that writing a checkpoint makes on the device: `checkpoint.packed` and `checkpoint.save`."""
    copies, _ = checkpoint.packed({"method": method, "optimizer": optimizer})
    if device == "cpu":
        copies = {name: x.contiguous() for name, x in copies.items()}


@cache
def bytes_a_sample(options: Views, image: tuple[int, int, int]) -> int:
    """The most bytes that are alive while views of one image (C, H, W) are made: measured, on a few."""
    some = max(4, min(64, 2**18 // prod(image[1:])))
    images, index = torch.zeros(some, *image, dtype=torch.uint8), torch.arange(some)
    augment = Augment(options, image[-1], [0.5] * image[0], [0.5] * image[0])
    with Count() as count:
        augment(images[index], key("memory"), index)
    return count.peak.large // some


def blank_views(
    options: Views, image: tuple[int, int, int], n: int, device: torch.device | str = "cpu"
) -> dict[str, Tensor]:
    """Views of `n` images (C, H, W) as a method gets them, all zero."""
    kinds = {"views": options} | ({"local": options.local} if options.local else {})
    return {k: torch.zeros(n, v.count, *v.shape(image), device=device) for k, v in kinds.items()}
