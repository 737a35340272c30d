"""SwAV, Caron et al. 2020 (arXiv 2006.09882)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.method import Method, unit
from repro.methods.clustering.swav_options import SwAVOptions
from repro.methods.parts.memory import Queue
from repro.methods.parts.prototypes import Prototypes, WeightNormed, sinkhorn, swapped


class SwAV(Method):
    """All other views of a sample predict the code of a global view: its soft assignment to the prototypes.

    Codes share the prototypes equally over the batch (see `sinkhorn`); those in the queue take part once it is full.
    The prototypes are brought to length 1 before each step, as in the authors' code; elsewhere they have a
    `learnt_scale` or a `bias`.
    """

    Options = SwAVOptions

    queued: Tensor

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.prototypes: Prototypes = (
            WeightNormed(options.prototypes, head.dim, scale=True)
            if options.learnt_scale
            else Prototypes(options.prototypes, head.dim, bool(options.bias))
        )
        self.queues = nn.ModuleList(Queue(options.queue, head.dim) for _ in range(2 if options.queue else 0))
        self.register_buffer("queued", torch.zeros((), dtype=torch.int64))

    def embed(self, views: Tensor, local: Tensor | None = None) -> dict[str, Tensor]:
        """views (n, 2, C, H, W), local (n, L, C, h, w) -> z (n, 2 + L, d) on the unit sphere."""
        return {"z": unit(self.project_crops(views, local))}

    def before_step(self, step: int) -> None:
        self.prototypes.normalise()
        self.prototypes.requires_grad_(step >= self.options.freeze_steps)

    def loss(self, z: Tensor) -> Tensor:
        """z (N, 2 + L, d) of the whole batch -> eq. 6 (of eq. 2) in nats, the mean over the pairs of views."""
        scores = self.prototypes(z)
        codes = torch.stack([self._codes(scores[:, v], v) for v in range(2)], 1)
        return swapped(codes, (scores / self.options.temperature).log_softmax(-1))

    @torch.no_grad()
    def _codes(self, scores: Tensor, view: int) -> Tensor:
        """scores (N, K) of a global view -> its codes (N, K)."""
        o, n = self.options, len(scores)
        if o.queue and self.queued >= o.queue:
            scores = torch.cat([self.prototypes(self.queues[view].rows), scores])
        return sinkhorn(scores, o.epsilon, o.iterations)[-n:]

    def after_step(self, z: Tensor, epoch: int) -> None:
        if self.queues and epoch >= self.options.queue_from_epoch:
            for view, queue in enumerate(self.queues):
                queue.push(z[:, view])  # type: ignore[operator]
            self.queued.add_(len(z))
