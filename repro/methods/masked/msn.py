"""Masked siamese networks, Assran et al. 2022 (arXiv 2204.07141)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.draws import Draws
from repro.engine.method import Method, exact, unit
from repro.errors import UserError
from repro.methods.masked.msn_options import MSNOptions
from repro.methods.parts.momentum_encoder import MomentumEncoder, ema_decay
from repro.methods.parts.prototypes import sinkhorn
from repro.networks.vit import ViT


class MSN(Method):
    """A view of which some patches are masked gets the prototypes of another, unmasked view (section 3).

    The first view is the target, which a momentum encoder sees; the others are anchors, as are local views.
    """

    Options = MSNOptions
    encoder: Any
    momentum_encoder: MomentumEncoder

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        if not isinstance(encoder, ViT):
            raise UserError("method `msn` needs the backbone `vit`, which can see a part of the patches.")
        self.kept = max(1, int(encoder.patches * (1 - options.mask)))
        self.momentum_encoder = MomentumEncoder(encoder, head)
        self.prototypes = nn.Parameter(
            torch.empty(options.prototypes, head.dim).uniform_(-1, 1) / head.dim**0.5
        )

    def embed(self, views: Tensor, draws: Draws, local: Tensor | None = None) -> dict[str, Tensor]:
        """views (n, V, C, S, S), local (n, L, C, s, s) -> target (n, d), z (n, V − 1 + L, d) of the anchors."""
        encoder, head = self.momentum_encoder
        with torch.no_grad():
            target = head(encoder(views[:, 0]))
        anchors = views[:, 1:]
        order = draws.uniform("mask", anchors.shape[1], self.encoder.patches).argsort(stable=True, dim=-1)
        keep = order[..., : self.kept]
        z = self.head(self.encoder(anchors.flatten(0, 1), keep.flatten(0, 1))).unflatten(0, anchors.shape[:2])
        if local is not None:
            z = torch.cat([z, self.project(local)], 1)
        return {"target": unit(target), "z": unit(z)}

    def loss(self, target: Tensor, z: Tensor) -> dict[str, Tensor]:
        """target (N, d), z (N, A, d) -> H(p⁺, p) + λ (log K − H(mean p)) in nats (equation 1)."""
        log_p = self._log_p(z)
        with torch.no_grad():
            sharp = (self._log_p(target) / self.options.sharpening).log_softmax(-1)
            p = sinkhorn(sharp, 1.0, 3) if self.options.sinkhorn else sharp.exp()
        agreement = -(p[:, None] * log_p).sum(-1).mean()
        mean = log_p.exp().mean((0, 1))
        entropy = -torch.xlogy(mean, mean).sum()
        most = torch.log(torch.tensor(float(len(mean))))
        return {
            "loss": agreement + self.options.entropy * (most - entropy),
            "agreement": agreement,
            "entropy": entropy,
        }

    def after_step(self, step: int, total: int) -> None:
        self.momentum_encoder.update(
            self.encoder, self.head, decay=ema_decay(self.options.momentum, step, total)
        )

    def end(self) -> None:
        """Later stages get the momentum encoder, as the authors evaluate it."""
        self.momentum_encoder.hand_over(self.encoder, self.head)

    def _log_p(self, z: Tensor) -> Tensor:
        """z (…, d) -> log probabilities of the prototypes (…, K)."""
        return (exact(z) @ unit(self.prototypes).T / self.options.temperature).log_softmax(-1)
