"""One step of training, the same for any division of the batch.

Every process embeds its own samples; the embeddings are gathered; every process computes the loss of the
whole batch and its gradient with respect to all embeddings, and sends its own part of that gradient back
through its own samples. When they do not fit at once they go through in chunks, twice: first without, then
with gradient (gradient caching, Gao et al. 2021, arXiv 2101.06983, section 3.2). The gradients of the
parameters are summed over the processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from repro.engine import optim, replicas
from repro.engine.abandon import Interrupted, OutOfMemory, out_of_memory
from repro.engine.draws import Draws
from repro.engine.method import Method, call
from repro.engine.plan import BatchPlan, Chunk
from repro.engine.setup import Setup
from repro.engine.signature import check_after, check_embed
from repro.errors import UserError
from repro.keys import key, permutation
from repro.networks.batchnorm import Span
from repro.networks.dropout import Masks
from repro.recipes.schema import Deviation

Embedded = dict[str, Tensor]
T = TypeVar("T")


@dataclass
class Updater:
    """Makes the steps of one training run: `step(...)` embeds, computes the loss, and updates the weights.

    `stop` is asked between chunks whether it is time to stop, and for what reason. `sizes` are those of the batches
    to come; in none of them may BatchNorm see a single sample, if it sees one row of each (`normalised`). `turns` are
    the optimizers of further updates that a step makes after the first, each with the longest gradient it takes.
    """

    setup: Setup
    plan: BatchPlan
    method: Method
    optimizer: torch.optim.Optimizer
    span: Span
    seed: int
    max_norm: float | None = None
    masks: Masks = field(default_factory=Masks)
    stop: Callable[[], str | None] = lambda: None
    sizes: set[int] = field(default_factory=set)
    normalised: bool = False
    turns: Sequence[tuple[torch.optim.Optimizer, float | None]] = ()
    notes: dict[str, Any] = field(default_factory=dict)
    unkeyed: bool = False  # whether `embed` draws from torch's generator; known after the first step
    measured: Embedded = field(default_factory=dict, init=False)
    _when: Mapping[str, int] = field(default_factory=dict, init=False)
    _turn: int = field(default=0, init=False)
    _first: bool = field(default=True, init=False)
    _alike: bool = field(default=True, init=False)  # whether all processes have as many chunks of a batch

    def check(self) -> None:
        """Raises UserError when the plan cannot divide one of the batches to come."""
        for samples in self.sizes:
            self.plan.check(samples, self.normalised)

    def deviations(self) -> list[Deviation]:
        """What the plan cannot honour of the recipe, and what of the network depends on the plan."""
        found = self.plan.deviations(self.sizes) if self.span.learning else []
        if self.unkeyed and (self.plan.cached or self.setup.processes > 1):
            found.append(
                Deviation(
                    what="random numbers in the network",
                    paper="drawn for the whole batch",
                    here="drawn for each part of it, so they depend on its division",
                    why="the network draws from torch's generator itself, beside its dropout layers",
                )
            )
        return found

    @property
    def _seed(self) -> int:
        """That of the draws; each turn has its own."""
        return key(self.seed, "turn", self._turn) if self._turn else self.seed

    @property
    def _update(self) -> tuple[torch.optim.Optimizer, float | None]:
        """The optimizer of the turn, and the longest gradient that it takes."""
        return [(self.optimizer, self.max_norm), *self.turns][self._turn]

    def own(self, index: Tensor) -> Tensor:
        """index (N,) of a batch -> (n,), the samples of this process."""
        first, last = self.plan.bounds(len(index), self.setup.rank)
        return index[first:last]

    def needed(self, step: int, samples: int) -> Tensor:
        """Places (m,) in a batch of N samples: this process's own, then those that it needs besides for `keys`."""
        own = self.own(torch.arange(samples))
        if not self.method.shuffles:
            return own
        asked = self.own(self._order(step, samples))
        return torch.cat([own, asked[(asked < own[0]) | (asked > own[-1])]])

    def step(
        self, step: int, views: Embedded, facts: Embedded, when: Mapping[str, int] | None = None
    ) -> tuple[Tensor, Embedded]:
        """One update with N rows of samples, or one for each turn.

        `views` holds the inputs of the rows that are `needed` here, `facts` the whole batch's `index` (N, …) and
        whatever else is one number for each sample, as `label`; `when` tells `embed` and `loss` how far the run is.

        Returns the loss, of several turns the sum, and the last embeddings of the whole batch, detached; what else
        `loss` measures is then in `measured`. Losses are computed in float32 at least, whatever the precision of the
        network. When the memory of a process does not suffice, the step is made again in chunks of half the size,
        which stay. Raises Interrupted when it is time to stop; then, too, nothing has changed.
        """
        self.measured, losses = {}, []
        for turn in range(1 + len(self.turns)):
            loss, embedded = self._taken(turn, step, views, facts, when or {})
            losses.append(loss)
        return torch.stack(losses).sum() if self.turns else loss, embedded

    def _taken(
        self, turn: int, step: int, views: Embedded, facts: Embedded, when: Mapping[str, int]
    ) -> tuple[Tensor, Embedded]:
        """One turn, with as little memory as it takes."""
        self._turn = turn
        while True:
            try:
                return self._step(step, views, facts, {**when, "turn": turn})
            except OutOfMemory:
                pass  # and on outside of the handler, which keeps alive what did not fit
            except Interrupted:
                self.span.forget()
                raise
            self._halve()

    def _halve(self) -> None:
        """Plans for half the micro-batch. Raises UserError where that cannot help."""
        current = self.plan.at_once
        if current == 1:
            raise UserError(f"{self._too_much()}, and no --micro-batch is smaller; use another device.")
        too_much, self.plan = self._too_much(), replace(self.plan, micro_batch=current // 2)
        try:
            self.check()
        except UserError as error:
            raise UserError(f"{too_much}, and half of that is too little: {error}") from None
        self.notes.setdefault("out_of_memory_at", []).append(current)
        self.span.forget()
        torch.cuda.empty_cache()

    def _too_much(self) -> str:
        return f"The memory does not suffice for a micro-batch of {self.plan.at_once}"

    def _step(
        self, step: int, views: Embedded, facts: Embedded, when: Mapping[str, int]
    ) -> tuple[Tensor, Embedded]:
        self.method.train()
        self._when, (optimizer, _) = when, self._update
        found: list[tuple[Tensor, Embedded]] = []

        @torch.enable_grad()
        def gradients() -> Tensor:
            found.append(self._gradients(step, views, facts))
            return found[-1][0]

        if getattr(optimizer, "needs_closure", False):
            optimizer.step(gradients)  # type: ignore[arg-type]
        else:
            gradients()
            optimizer.step()
        self.span.update_running_statistics(self.setup.processes)
        return found[0]

    def _gradients(self, step: int, views: Embedded, facts: Embedded) -> tuple[Tensor, Embedded]:
        """The loss and the embeddings of the whole batch; the gradients are then with the parameters."""
        samples, (optimizer, max_norm) = len(facts["index"]), self._update
        by_rank = [self.plan.chunks(samples, rank) for rank in range(self.setup.processes)]
        mine, self._alike = by_rank[self.setup.rank], len({len(chunks) for chunks in by_rank}) == 1
        optimizer.zero_grad(set_to_none=True)
        keys = self._keys(step, views, facts) if self.method.shuffles else {}
        given, facts = [*facts], facts | keys
        if self._first:
            check_embed(self.method, views, given, keys)
        first = partial(self._embed, step, grad=not self.plan.cached)
        parts = self._each([partial(first, chunk, views, facts) for chunk in mine])
        whole = self._gathered(parts, samples)
        if self._first:
            check_after(self.method, [*whole, *keys], given)
        self._first = False
        (loss,) = self._each([partial(self._loss, step, facts | whole)])
        pairs = zip(mine, parts, strict=True)
        self._each(
            [partial(self._back, step, chunk, part, views, facts, whole) for chunk, part in pairs], last=True
        )
        self._sum_gradients()
        optim.clip(optimizer, max_norm)
        return loss, {name: x.detach() for name, x in (keys | whole).items()}

    def _each(self, work: Sequence[Callable[[], T]], last: bool = False) -> list[T]:
        """Does the work chunk by chunk.

        In between the processes hear whether one of them lacks memory or has to stop: after each chunk if all have
        as many, else after the last. After the `last` of a step nobody stops any more, nor in its further turns.
        """
        done = []
        for position, one in enumerate(work, 1):
            failed = False
            try:
                done.append(one())
            except Exception as error:
                if not out_of_memory(error):
                    raise
                failed = True
            if failed and self.span.synchronised:
                # The others wait inside of BatchNorm, and are ended with this one.
                raise UserError(f"{self._too_much()}; use a smaller --micro-batch or more processes.")
            if failed or self._alike or position == len(work):
                self._ask(failed, stoppable=not self._turn and (not last or position < len(work)))
        return done

    def _ask(self, failed: bool, stoppable: bool) -> None:
        reason = self.stop() if stoppable else None
        lacking, stopping = replicas.on_any(self.setup.processes, failed, reason is not None)
        if lacking:
            raise OutOfMemory
        if stopping:
            raise Interrupted(reason or "another process has to stop")

    def _keys(self, step: int, views: Embedded, facts: Embedded) -> Embedded:
        """`keys` of the whole batch, evaluated over a keyed order of it and put back into its own order."""
        samples, device = len(facts["index"]), facts["index"].device
        order, needed = self._order(step, samples), self.needed(step, samples)
        place = torch.empty_like(order)
        place[needed] = torch.arange(len(needed))
        mine = place[self.own(order)].to(device)
        asked = {name: x[mine] for name, x in views.items()}
        shuffled = {name: x[order.to(device)] for name, x in facts.items()}
        chunks = self.plan.chunks(samples, self.setup.rank)
        parts = self._each([partial(self._embed, step, c, asked, shuffled, keys=True) for c in chunks])
        back = order.argsort().to(device)
        return {name: x.detach()[back] for name, x in self._gathered(parts, samples).items()}

    def _order(self, step: int, samples: int) -> Tensor:
        """Which sample of the batch is the i-th of those that `keys` sees (N,)."""
        return permutation(key(self.seed, "shuffle", step), samples)

    def _embed(
        self, step: int, chunk: Chunk, views: Embedded, facts: Embedded, grad: bool = True, keys: bool = False
    ) -> Embedded:
        """Embeddings, or `keys`, of one chunk, with the same draws in both passes of gradient caching."""
        span, rows, samples = self.span, slice(chunk.start, chunk.stop), len(facts["index"])
        span.groups, span.first, span.collect = chunk.groups, chunk.start, grad
        span.size, span.total, span.synchronised = self.plan.span, samples, self.plan.synchronised(samples)
        purpose, function = ("keys", self.method.keys) if keys else ("embed", self.method.embed)
        self.masks.begin(
            key(self._seed, purpose, step), chunk.start, chunk.stop - chunk.start, facts["index"].device
        )
        torch.manual_seed(key(self._seed, purpose, step, chunk.start))
        offset = self.plan.bounds(samples, self.setup.rank)[0]
        own = {name: x[chunk.start - offset : chunk.stop - offset] for name, x in views.items()}
        available = own | {name: x[rows] for name, x in facts.items()} | self._drawing(purpose, step, chunk)
        before = self._drawn() if self._first else None
        with torch.set_grad_enabled(grad and not keys), self.setup.autocast():
            embedded = call(function, available)
        if before is not None:
            self.unkeyed |= not torch.equal(self._drawn(), before)
        return {name: x.to(torch.promote_types(x.dtype, torch.float32)) for name, x in embedded.items()}

    def _drawn(self) -> Tensor:
        """The state of the generator from which unkeyed layers draw."""
        return (
            torch.cuda.get_rng_state(self.setup.device)
            if self.setup.device.type == "cuda"
            else torch.get_rng_state()
        )

    def _loss(self, step: int, facts: Embedded) -> Tensor:
        """The loss of the whole batch; its gradient goes to the embeddings and to the parameters of the loss."""
        torch.manual_seed(key(self._seed, "loss", step))
        self.masks.begin(key(self._seed, "loss", step), 0, 1, facts["index"].device)
        whole = Chunk(0, len(facts["index"]), ())
        result = call(self.method.loss, facts | self._drawing("loss", step, whole))
        parts = result if isinstance(result, dict) else {"loss": result}
        (parts["loss"] / self.setup.processes).backward()
        self.measured |= {name: x.detach() for name, x in parts.items()}
        return self.measured["loss"]

    def _drawing(self, purpose: str, step: int, chunk: Chunk) -> dict[str, Any]:
        """What `embed` and `loss` may ask for beside tensors: when it is, and random numbers."""
        at = key(self._seed, purpose, "draws", step)
        return {**self._when, "draws": Draws(at, chunk.start, chunk.stop - chunk.start, self.setup.device)}

    def _back(
        self, step: int, chunk: Chunk, part: Embedded, views: Embedded, facts: Embedded, whole: Embedded
    ) -> None:
        """Sends the gradient of the loss back through one chunk, embedded again if gradients are cached."""
        self._send_back(self._embed(step, chunk, views, facts) if self.plan.cached else part, whole, chunk)

    def _gathered(self, parts: list[Embedded], samples: int) -> Embedded:
        """The embeddings of the whole batch, in the order of its samples, as leaves that collect a gradient."""
        shares = self.plan.shares(samples)
        whole = {}
        for name in parts[0]:
            own = torch.cat([p[name].detach() for p in parts])
            whole[name] = gathered(own, shares).requires_grad_(own.is_floating_point())
        return whole

    def _send_back(self, part: Embedded, whole: Embedded, chunk: Chunk) -> None:
        """Carries the gradient of the loss from this chunk's embeddings into the parameters."""
        pairs = [(x, whole[name].grad) for name, x in part.items() if x.requires_grad]
        pairs = [(x, g) for x, g in pairs if g is not None]
        if not pairs:
            return  # frozen features, or nothing of this method's loss depends on them
        scaled = [self.setup.processes * g[chunk.start : chunk.stop] for _, g in pairs if g is not None]
        torch.autograd.backward([x for x, _ in pairs], scaled)

    def _sum_gradients(self) -> None:
        if self.setup.processes == 1:
            return
        gradients = [p.grad for p in self.method.parameters() if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        for gradient, summed in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(summed.view_as(gradient))


def gathered(own: Tensor, shares: list[int]) -> Tensor:
    """own (n, …) of this process -> (N, …) of all, in order of rank; the shares may differ."""
    if len(shares) == 1:
        return own
    padded = own.new_zeros(max(shares), *own.shape[1:])
    padded[: len(own)] = own
    boxes = [torch.empty_like(padded) for _ in shares]
    dist.all_gather(boxes, padded)
    return torch.cat([box[:n] for box, n in zip(boxes, shares, strict=True)])


def trainable(module: nn.Module) -> list[Any]:
    return [p for p in module.parameters() if p.requires_grad]
