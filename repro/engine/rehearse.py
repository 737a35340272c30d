"""The tensors of one step of training, counted without data: weights, gradients, optimizer state, views, activations,
embeddings and the loss of the whole batch, autocast's copies of the weights, the copies of a checkpoint."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import prod
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from repro import components
from repro.data.declare import DataSet, declaration
from repro.data.load import look_alike
from repro.data.table import Table
from repro.engine import checkpoint, optim
from repro.engine.allocation import HEAP
from repro.engine.blank import Bytes, Count, Rehearsal
from repro.engine.draws import Draws
from repro.engine.fit import undoing
from repro.engine.method import Method, call
from repro.engine.plan import BatchPlan
from repro.engine.sizes import rows_in
from repro.engine.streams import named, scalars_of
from repro.keys import key
from repro.networks.batchnorm import convert
from repro.networks.build import meet
from repro.networks.layout import channels_last
from repro.options import SampledOptions, Views
from repro.views.augment import Augment
from repro.views.draws import Draws as ViewDraws
from repro.views.loader import kind_of, rows_of

FEW = 32  # samples of a stand-in
WHEN = {"step": 10, "total": 20, "epoch": 1, "epochs": 2, "per_epoch": 10}  # all parts train by then


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
    table = stand_in(options, dataset)
    inputs, facts = one_row(options, dataset)
    with torch.device("meta"):
        made = method(options, dict(stages), dataset)
    channels_last(made)
    meet(made, table)
    rehearsal = Rehearsal(HEAP if place.device == "cpu" else sys.maxsize)
    twin = rehearsal.twin(made)
    with rehearsal:
        return _Rehearsed(rehearsal, twin, options, table, inputs, facts, place, plan).peak()


def source(options: Any, dataset: str) -> tuple[DataSet, str]:
    """The data set that a stage trains on, and the split."""
    data = options.data or SampledOptions()
    return declaration(data.set or dataset), str(data.split or getattr(options, "split", "train"))


def method(options: Any, stages: Any, dataset: str) -> Any:
    """What a stage trains, with fresh weights."""
    declared, split = source(options, dataset)
    kind = components.load(("stages",), options.kind)
    return kind.method(options, stages, declared.shape, declared.classes_in(split))


def stand_in(options: Any, dataset: str) -> Table:
    """A few samples like those that a stage trains on, with as many labels as there are samples."""
    declared, split = source(options, dataset)
    table: Table = look_alike(declared.name, split, FEW, key("memory"))
    if not table.classes:
        return table
    return table.having(label=torch.arange(rows_in(options, declared.name)) % table.classes)


def one_row(options: Any, dataset: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Inputs and facts of one row (1, *group, …), all zero, for all streams of a stage."""
    inputs: dict[str, Tensor] = {}
    facts: dict[str, Tensor] = {}
    sampler = options.data.sampler if options.data else None
    streams = {"": (options, sampler.group if sampler else ())}
    for name, stream in (options.streams or {}).items():
        group = stream.sampler.group if stream.sampler else ()
        streams[name] = (SimpleNamespace(data=stream, views=stream.views), (stream.ratio, *group))
    for name, (stream, group) in streams.items():
        declared, split = source(stream, dataset)
        table = look_alike(declared.name, split, FEW, key("memory"))
        for field, x in _one(stream.views, declared, table).items():
            inputs[named(name, field)] = x.new_zeros(1, *group, *x.shape[1:])
        for field, x in {**scalars_of(table), "index": table.labels}.items():
            facts[named(name, field)] = x.new_zeros(1, *group)
    return inputs, facts


def _one(views: Any, declared: DataSet, table: Table) -> dict[str, Tensor]:
    """The views of one sample."""
    if isinstance(views, Views):
        return blank_views(views, declared.shape, 1)
    index, device = torch.zeros(1, dtype=torch.int64), torch.device("cpu")
    made: dict[str, Tensor] = kind_of(views)(rows_of(table, index, device), ViewDraws(0, 0, index))
    return made


@dataclass
class _Rehearsed:
    """One step as the engine makes it, with the largest chunk in place of all."""

    count: Rehearsal
    method: Method
    options: Any
    table: Table
    inputs: dict[str, Tensor]
    facts: dict[str, Tensor]
    place: Place
    plan: BatchPlan
    turn: int = 0

    def peak(self) -> Peak:
        method, o = self.method, self.options
        method.apart = o.batch.bn_views == "apart"
        samples = rows_in(self.options, self.table.name)
        call(method.begin, {"samples": samples, "table": self.table})
        self.span = convert(method)
        optimizers = [optim.build(u, optim.groups(u, method)) for u in (o.optimizer, *(o.turns or ()))]
        for p in method.parameters():
            p.grad = torch.empty_like(p) if p.requires_grad else None
        for optimizer in optimizers:
            optimizer.step()
        state = self._without_gradients(self.count.now)
        views = _rows(self.inputs, max(self.plan.shares(self.plan.size)))
        when = WHEN
        undo = undoing(method)  # as the engine does, which may give a step up
        call(method.before_step, {**when, "features": lambda: self._features(samples)})
        for turn, optimizer in enumerate(optimizers):
            self.turn = turn
            embedded = self._step(optimizer, views)
        standing = self.count.now
        call(method.after_step, {**when, **embedded})
        del undo
        copy_to_save(method, optimizers, self.place.device)
        making = self._making_views(standing)
        small, large = self.count.peak.most(making)
        together = max(self.count.together, sum(making)) - sum(state)
        return Peak(sum(state), small - state.small, large - state.large, together)

    def _without_gradients(self, now: Bytes) -> Bytes:
        """What is left of it when the gradients are freed."""
        for p in self.method.parameters():
            now = now if p.grad is None else now.plus(-p.grad.nbytes, self.count.heap)
        return now

    def _features(self, samples: int) -> Tensor:
        """Those of the whole set."""
        return torch.empty(samples, self.method.encoder.dim)  # type: ignore[call-overload]

    def _step(self, optimizer: torch.optim.Optimizer, views: dict[str, Tensor]) -> dict[str, Tensor]:
        method, plan, cached = self.method, self.plan, self.plan.cached
        method.train()
        optimizer.zero_grad(set_to_none=True)
        facts = _rows(self.facts, plan.size)
        if method.shuffles:
            with torch.no_grad():
                facts |= self._whole(self._embed(method.keys, views, facts))
        with torch.set_grad_enabled(not cached):
            part = self._embed(method.embed, views, facts)
        whole = {name: x.requires_grad_(x.is_floating_point()) for name, x in self._whole(part).items()}
        loss = call(method.loss, {**facts, **whole, **self._drawing(plan.size)})
        (loss["loss"] if isinstance(loss, dict) else loss).backward()
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
            given = {name: x[:n] for name, x in (views | facts).items()}
            embedded = call(function, {**given, **self._drawing(n)})
        return {name: x.to(torch.promote_types(x.dtype, torch.float32)) for name, x in embedded.items()}

    def _drawing(self, n: int) -> dict[str, Any]:
        return {**WHEN, "turn": self.turn, "draws": Draws(0, 0, n, torch.device("cpu"))}

    def _making_views(self, standing: Bytes) -> Bytes:
        """What is alive while the next step's views are made, beside those of this one."""
        if not isinstance(self.options.views, Views):
            return standing  # they are small
        image = declaration(self.table.name).shape
        group = self.facts["index"].numel()
        n, shape = group * max(self.plan.shares(self.plan.size)), self.options.views.shape(image)
        size = n * bytes_a_sample(self.options.views, image)
        small = 4 * n * prod(shape) < self.count.heap
        return Bytes(standing.small + size * small, standing.large + size * (not small))


def _rows(one: dict[str, Tensor], n: int) -> dict[str, Tensor]:
    """n rows, all zero, like the one."""
    return {name: torch.zeros(n, *x.shape[1:], dtype=x.dtype) for name, x in one.items()}


def copy_to_save(method: nn.Module, optimizers: list[torch.optim.Optimizer], device: str) -> None:
    """Makes the copies that writing a checkpoint makes on the device: `checkpoint.packed` and `checkpoint.save`."""
    copies, _ = checkpoint.packed({"method": method, **{f"turn{i}": o for i, o in enumerate(optimizers)}})
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
