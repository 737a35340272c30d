"""Supervised graph deconvolution, Wasserman et al. 2022 (arXiv 2205.09575)."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.data.random_graphs import pairs
from repro.engine.method import Method
from repro.methods.graph.gdn_options import GDNOptions


class GDN(Method):
    """The network `gdn` learns which pairs of nodes have an edge in the latent graph, from the observed one."""

    guarded = ()

    Options = GDNOptions

    def embed(self, views: Tensor, latent: Tensor) -> dict[str, Tensor]:
        """views (n, 1, N, N), latent (n, N, N) -> score, edge (n, P) of each of the P = N (N − 1) / 2 pairs."""
        return {"score": pairs(self.encoder(views[:, 0])), "edge": pairs(latent)}

    def loss(self, score: Tensor, edge: Tensor) -> Tensor:
        """The hinge loss of the authors' code, summed over pairs, averaged over graphs."""
        margin = self.options.margin
        return torch.where(edge > 0, 1 - margin - score, score - margin).relu().sum(1).mean()

    def after_step(self) -> None:
        self.encoder.clamp()  # type: ignore[operator]
