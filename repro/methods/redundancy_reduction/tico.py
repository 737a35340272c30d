"""TiCo, Zhu et al. 2022 (arXiv 2206.10698)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.method import Method, unit
from repro.methods.parts.momentum_encoder import MomentumEncoder, ema_decay
from repro.methods.redundancy_reduction.tico_options import TiCoOptions


class TiCo(Method):
    """Views agree, and an embedding stays away from the directions in which the embeddings so far lie.

    Asymmetric, as the paper's pseudocode: the first view goes through the network, the second through its momentum
    encoder.
    This batch's part of the covariance has a gradient, so that the contrast is exactly that with a memory of all
    embeddings, unless `stop_covariance` says otherwise.
    """

    Options = TiCoOptions

    covariance: Tensor

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.target = MomentumEncoder(encoder, head)
        self.register_buffer("covariance", torch.zeros(head.dim, head.dim))

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, C, H, W) -> z of the first view and t of the second (n, 1, d), on the unit sphere."""
        return {"z": unit(self.project(views[:, :1])), "t": unit(self.through(views[:, 1:], *self.target))}

    def loss(self, z: Tensor, t: Tensor) -> Tensor:
        """z, t (N, 1, d) of the whole batch -> the paper's loss plus 1: 1 − cosine + ρ zᵀCz, averaged over the batch.

        C includes this batch.
        """
        z, t = z.squeeze(1), t.squeeze(1)
        covariance = self._covariance(z.detach() if self.options.stop_covariance else z)
        contrast = ((z @ covariance) * z).sum(-1)
        return (1 - (z * t).sum(-1) + self.options.rho * contrast).mean()

    def after_step(self, z: Tensor, step: int, total: int) -> None:
        self.covariance.copy_(self._covariance(z.squeeze(1)))
        self.target.update(self.encoder, self.head, decay=ema_decay(self.options.momentum, step, total))

    def _covariance(self, z: Tensor) -> Tensor:
        """z (N, d) -> βC + (1 − β) zᵀz/N (d, d), not centred."""
        beta = self.options.beta
        return beta * self.covariance + (1 - beta) * z.T @ z / len(z)
