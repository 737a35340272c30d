"""MoCo, He et al. 2020 (arXiv 1911.05722), with the defaults of MoCo v2, Chen et al. 2020 (arXiv 2003.04297)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.method import Method, unit
from repro.methods.contrastive.moco_options import MoCoOptions
from repro.methods.parts.memory import Queue
from repro.methods.parts.momentum_encoder import MomentumEncoder, ema_decay


class MoCo(Method):
    """A query must find the key of the other view among a queue of earlier keys, which a momentum encoder made.

    View 1 gives the query and view 2 the key; with `symmetric` also the other way round, and the keys of both
    views enter the one queue, at the end of the step or, with `second_sees_first`, each after its own direction.
    `shuffle` matters where `bn_span` is smaller than the batch.
    """

    Options = MoCoOptions

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.momentum_encoder = MomentumEncoder(encoder, head)
        self.queue = Queue(options.queue, head.dim)
        self.shuffles = bool(options.shuffle)

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, C, H, W) -> queries q (n, 1, d), or (n, 2, d) when symmetric, unit; and `keys`."""
        asks = views if self.options.symmetric else views[:, :1]
        queries = {"q": unit(self.project(asks))}
        return queries if self.shuffles else queries | self.keys(views)

    def keys(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, C, H, W) -> for each query its key k, made of the other view; the same shape."""
        answers = views.flip(1) if self.options.symmetric else views[:, 1:]
        return {"k": unit(self.through(answers, *self.momentum_encoder))}

    def loss(self, q: Tensor, k: Tensor) -> Tensor:
        """q, k (N, V, d) -> eq. 1, in nats per query: which of 1 + `queue` keys is mine?"""
        own = (q * k).sum(-1, keepdim=True)
        logits = torch.cat([own, self._others(q, k)], -1).flatten(0, 1) / self.options.temperature
        target = torch.zeros(len(logits), dtype=torch.int64, device=q.device)
        return (self.options.scale or 1) * F.cross_entropy(logits, target)

    def _others(self, q: Tensor, k: Tensor) -> Tensor:
        """q, k (N, V, d) -> the scalar products of the queries with the queue that they meet (N, V, `queue`)."""
        if not self.options.second_sees_first:
            return q @ self.queue.rows.T
        queues = [self.queue.rows, self.queue.pushed(k[:, 0].detach())]
        return torch.stack([one @ rows.T for one, rows in zip(q.unbind(1), queues, strict=True)], 1)

    def after_step(self, k: Tensor, step: int, total: int) -> None:
        keys = k.transpose(0, 1) if self.options.second_sees_first else k
        self.queue.push(keys.flatten(0, 1))
        self.momentum_encoder.update(
            self.encoder, self.head, decay=ema_decay(self.options.momentum, step, total)
        )
