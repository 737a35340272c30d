"""BYOL, Grill et al. 2020 (arXiv 2006.07733)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from repro.engine.method import Method, unit
from repro.methods.negative_free.byol_options import BYOLOptions
from repro.methods.parts.momentum_encoder import MomentumEncoder, ema_decay
from repro.networks.build import build_head


class BYOL(Method):
    """The online network's prediction of one view meets the target network's projection of the other.

    The target is a momentum encoder (section 3.1).
    """

    Options = BYOLOptions

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.target = MomentumEncoder(encoder, head)
        self.predictor = build_head(options.predictor, head.dim) if options.predictor else nn.Identity()

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, C, H, W) -> predictions p and targets t (n, 2, d), on the unit sphere."""
        p = self.through(views, self.encoder, self.head, self.predictor)
        return {"p": unit(p), "t": unit(self.through(views, *self.target))}

    def loss(self, p: Tensor, t: Tensor) -> Tensor:
        """p, t (N, 2, d) -> eq. 2, made symmetric: 4 minus twice both cosines, averaged over the batch."""
        cosines = (p * t.flip(1)).sum(-1)
        return self.options.scale * (2 - 2 * cosines).sum(1).mean()

    def after_step(self, step: int, total: int) -> None:
        self.target.update(self.encoder, self.head, decay=ema_decay(self.options.momentum, step, total))
