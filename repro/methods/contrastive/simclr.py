"""SimCLR, Chen et al. 2020 (arXiv 2002.05709)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.engine.method import Method, unit
from repro.methods.contrastive.simclr_options import SimCLROptions


def nt_xent(z: Tensor, temperature: float, reduction: str = "mean") -> Tensor:
    """NT-Xent, eq. 1, averaged over the 2N views: which of the 2N − 1 others is my other view?

    z (N, 2, d) on the unit sphere -> scalar in nats; (2N,), one for each view, with the `reduction` "none".
    """
    n = len(z)
    rows = torch.arange(2 * n, device=z.device)
    views = torch.cat([z[:, 0], z[:, 1]])
    logits = views @ views.T / temperature
    itself = torch.eye(2 * n, dtype=torch.bool, device=z.device)
    others = logits.masked_fill(itself, -torch.inf)
    return F.cross_entropy(others, target=(rows + n) % (2 * n), reduction=reduction)


class SimCLR(Method):
    """Two views of a sample are each other's only positive; all other views of the batch are negatives."""

    Options = SimCLROptions

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, C, H, W) -> z (n, 2, d) on the unit sphere."""
        return {"z": unit(self.project(views))}

    def loss(self, z: Tensor) -> Tensor:
        """z (N, 2, d) of the whole batch -> nats per view."""
        t = self.options.temperature
        scale = t / (self.options.base_temperature or t)
        if self.options.mean == "probability":
            return scale * (math.log(2 * len(z)) - (-nt_xent(z, t, "none")).logsumexp(0))
        return scale * nt_xent(z, t)
