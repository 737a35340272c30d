"""The tensors of one step of training, counted without data: weights, gradients, optimizer state, views, activations,
embeddings and the loss of the whole batch, autocast's copies of the weights, the copies of a checkpoint."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any, NamedTuple

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
from repro.engine.plan import BatchPlan
from repro.networks.batchnorm import convert
from repro.networks.layout import channels_last
from repro.options import Views
from repro.views.augment import Augment


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


@cache
def peak(options: Any, stages: Any, dataset: str, place: Place, plan: BatchPlan) -> Peak:
    """The bytes of tensors that are alive at once on the device in a step of the plan, or beside it.

    The step is rehearsed on the CPU for a GPU too, where, as torch manages the memory, all count as small. `options`
    are those of a stage that trains, `stages` the names and options of all of its recipe.
    """
    declared = declaration(dataset)
    samples = declared.splits[getattr(options, "split", "train")]
    with torch.device("meta"):
        made = method(options, dict(stages), dataset)
    channels_last(made)
    rehearsal = Rehearsal(HEAP if place.device == "cpu" else sys.maxsize)
    twin = rehearsal.twin(made)
    with rehearsal:
        return _Rehearsed(rehearsal, twin, options, declared.shape, samples, place, plan).peak()


def method(options: Any, stages: Any, dataset: str) -> Any:
    """What a stage trains, with fresh weights."""
    declared = declaration(dataset)
    classes = declared.classes_in(getattr(options, "split", "train"))
    return components.load(("stages",), options.kind).method(options, stages, declared.shape, classes)


@dataclass
class _Rehearsed:
    """One step as the engine makes it, with the largest chunk in place of all."""

    count: Rehearsal
    method: Method
    options: Any
    image: tuple[int, ...]
    samples: int
    place: Place
    plan: BatchPlan

    def peak(self) -> Peak:
        method, o = self.method, self.options
        method.apart = o.batch.bn_views == "apart"
        call(method.begin, {"samples": self.samples})
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
def bytes_a_sample(options: Views, image: tuple[int, ...]) -> int:
    """The most bytes that are alive while views of one image (C, H, W) are made: measured, on a few."""
    some = max(4, min(64, 2**18 // prod(image[1:])))
    images, index = torch.zeros(some, *image, dtype=torch.uint8), torch.arange(some)
    augment = Augment(options, image[-1], [0.5] * image[0], [0.5] * image[0])
    with Count() as count:
        augment(images[index], key("memory"), index)
    return count.peak.large // some


def blank_views(
    options: Views, image: tuple[int, ...], n: int, device: torch.device | str = "cpu"
) -> dict[str, Tensor]:
    """Views of `n` images (C, H, W) as a method gets them, all zero."""
    kinds = {"views": options} | ({"local": options.local} if options.local else {})
    return {k: torch.zeros(n, v.count, *v.shape(image), device=device) for k, v in kinds.items()}
