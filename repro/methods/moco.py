"""MoCo, He et al. 2020 (arXiv 1911.05722), with the defaults of MoCo v2, Chen et al. 2020 (arXiv 2003.04297)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.method import Method, unit
from repro.methods.parts.follower import Follower, share
from repro.methods.parts.memory import Queue
from repro.options import MethodOptions, Momentum, PositiveFloat, PositiveInt


class MoCo(Method):
    """A query must find the key of the other view among a queue of earlier keys, which a momentum encoder made.

    View 1 gives the query and view 2 the key; with `symmetric` also the other way round, and the keys of both
    views enter the one queue. With `shuffle` (section 3.3) the keys are made over the batch in another order, so that
    their BatchNorm groups are not those of the queries; it matters where `bn_span` is smaller than the batch.
    """

    class Options(MethodOptions):
        temperature: PositiveFloat = 0.2
        queue: PositiveInt = 65536
        momentum: Momentum = Momentum(start=0.999)
        symmetric: bool = False
        shuffle: bool | None = None

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.follower = Follower(encoder, head)
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
        return {"k": unit(self.through(answers, *self.follower))}

    def loss(self, q: Tensor, k: Tensor) -> Tensor:
        """q, k (N, V, d) -> eq. 1, in nats per query: which of 1 + `queue` keys is mine?"""
        own = (q * k).sum(-1, keepdim=True)
        logits = torch.cat([own, q @ self.queue.rows.T], -1).flatten(0, 1) / self.options.temperature
        return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64, device=q.device))

    def after_step(self, k: Tensor, step: int, total: int) -> None:
        self.queue.push(k.flatten(0, 1))
        self.follower.follow(self.encoder, self.head, keep=share(self.options.momentum, step, total))
