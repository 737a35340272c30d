"""MoCo v3, Chen et al. 2021 (arXiv 2104.02057)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from repro.engine.method import Method, info_nce, unit
from repro.methods.contrastive.moco_v3_options import MoCoV3Options
from repro.methods.parts.momentum_encoder import MomentumEncoder, ema_decay
from repro.networks.build import build_head


def ctr(q: Tensor, k: Tensor, temperature: float) -> Tensor:
    """Queries q and keys k (N, d) on the unit sphere -> 2τ times the nats per query: which key is mine?"""
    return 2 * temperature * info_nce(q @ k.T / temperature)


class MoCoV3(Method):
    """The prediction of one view must find the momentum encoder's key of the other among those of the batch."""

    Options = MoCoV3Options

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.momentum_encoder = MomentumEncoder(encoder, head)
        self.predictor = build_head(options.predictor, head.dim)

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, C, H, W) -> queries q and keys k (n, 2, d), on the unit sphere."""
        q = self.through(views, self.encoder, self.head, self.predictor)
        return {"q": unit(q), "k": unit(self.through(views, *self.momentum_encoder))}

    def loss(self, q: Tensor, k: Tensor) -> Tensor:
        """q, k (N, 2, d) of the whole batch -> Algorithm 1: ctr(q₁, k₂) + ctr(q₂, k₁)."""
        t = self.options.temperature
        return ctr(q[:, 0], k[:, 1], t) + ctr(q[:, 1], k[:, 0], t)

    def after_step(self, step: int, total: int) -> None:
        self.momentum_encoder.update(
            self.encoder, self.head, decay=ema_decay(self.options.momentum, step, total)
        )
