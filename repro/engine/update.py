"""One step of training, the same for any division of the batch.

Every process embeds its own samples; the embeddings are gathered; every process computes the loss of the
whole batch and its gradient with respect to all embeddings, and sends its own part of that gradient back
through its own samples. When they do not fit at once they go through in chunks, twice: first without, then
with gradient (gradient caching, Gao et al. 2021, arXiv 2101.06983, section 3.2). The gradients of the
parameters are summed over the processes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from repro.engine import optim
from repro.engine.keys import key
from repro.engine.method import Method, call
from repro.engine.plan import BatchPlan, Chunk
from repro.engine.setup import Setup
from repro.errors import UserError
from repro.networks.batchnorm import Span

Embedded = dict[str, Tensor]


@dataclass
class Updater:
    """Makes the steps of one training run: `step(...)` embeds, computes the loss, and updates the weights."""

    setup: Setup
    plan: BatchPlan
    method: Method
    optimizer: torch.optim.Optimizer
    span: Span
    seed: int
    max_norm: float | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def own(self, index: Tensor) -> Tensor:
        """index (N,) of a batch -> (n,), the samples of this process."""
        first, last = self.plan.bounds(len(index), self.setup.rank)
        return index[first:last]

    def step(self, step: int, views: Embedded, label: Tensor, index: Tensor) -> tuple[Tensor, Embedded]:
        """One update with the samples index (N,) of labels label (N,); `views` holds those of this process's own.

        Returns the loss and the embeddings of the whole batch, detached. Losses are computed in float32 at
        least, whatever the precision of the network. When the device's memory does not suffice, the step is
        made again in chunks of half the size, which stay.
        """
        while True:
            try:
                return self._step(step, views, label, index)
            except torch.OutOfMemoryError:
                self._halve()

    def _halve(self) -> None:
        """Plans for half the micro-batch. Raises UserError where that cannot help."""
        current = min(self.plan.micro_batch or self.plan.size, max(self.plan.shares(self.plan.size)))
        if current == 1 or self.setup.processes > 1:
            raise UserError(
                f"The device's memory does not suffice for a micro-batch of {current}; "
                "use a smaller --micro-batch or another device."
            ) from None
        self.plan = replace(self.plan, micro_batch=current // 2)
        self.notes.setdefault("out_of_memory_at", []).append(current)
        self.span.forget()
        torch.cuda.empty_cache()

    def _step(self, step: int, views: Embedded, label: Tensor, index: Tensor) -> tuple[Tensor, Embedded]:
        self.method.train()
        mine = self.plan.chunks(len(index), self.setup.rank)
        self.optimizer.zero_grad(set_to_none=True)
        facts = {"label": label, "index": index}
        parts = [self._embed(step, c, views, facts, grad=not self.plan.cached) for c in mine]
        whole = self._gathered(parts, len(index))
        torch.manual_seed(key(self.seed, "loss", step))
        loss = call(self.method.loss, facts | whole)
        (loss / self.setup.processes).backward()
        for chunk, part in zip(mine, parts, strict=True):
            again = self._embed(step, chunk, views, facts) if self.plan.cached else part
            self._send_back(again, whole, chunk)
        self._sum_gradients()
        optim.clip(self.optimizer, self.max_norm)
        self.optimizer.step()
        self.span.update_running_statistics(self.setup.processes)
        return loss.detach(), {name: x.detach() for name, x in whole.items()}

    def _embed(
        self, step: int, chunk: Chunk, views: Embedded, facts: Embedded, grad: bool = True
    ) -> Embedded:
        """Embeddings of one chunk. The seed makes dropout the same in both passes of gradient caching."""
        span, rows, samples = self.span, slice(chunk.start, chunk.stop), len(facts["index"])
        span.groups, span.first, span.collect = chunk.groups, chunk.start, grad
        span.size, span.total, span.synchronised = self.plan.span, samples, self.plan.synchronised(samples)
        torch.manual_seed(key(self.seed, "embed", step, chunk.start))
        offset = self.plan.bounds(samples, self.setup.rank)[0]
        own = {name: x[chunk.start - offset : chunk.stop - offset] for name, x in views.items()}
        with torch.set_grad_enabled(grad), self.setup.autocast():
            embedded = call(self.method.embed, own | {name: x[rows] for name, x in facts.items()})
        return {name: x.to(torch.promote_types(x.dtype, torch.float32)) for name, x in embedded.items()}

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
