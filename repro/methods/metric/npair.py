"""The N-pair loss, Sohn 2016 (NeurIPS, Improved deep metric learning with multi-class N-pair loss objective)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.engine.method import Method, exact
from repro.methods.metric.npair_options import NPairOptions


class NPair(Method):
    """An anchor must be closer, by scalar product, to the positive of its pair than to those of the other pairs.

    A row is a pair (P×K batches with K = 2), each pair of another class: 2 N passes give N anchors N − 1 negatives
    each. With `negatives: 1` it is the loss of (2 + 1)-tuplets, the smooth triplet loss that the paper starts from.
    """

    Options = NPairOptions
    least = 2  # a pair alone has no negatives

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, 1, C, H, W): anchor and positive -> z (n, 2, d)."""
        return {"z": exact(self.project(views.flatten(0, 1))[:, 0].unflatten(0, views.shape[:2]))}

    def loss(self, z: Tensor, draws: Any) -> Tensor:
        """z (N, 2, d) -> mean of log(1 + Σ_j exp(f·f⁺_j − f·f⁺)), in nats, and what the lengths add."""
        scores = z[:, 0] @ z[:, 1].T
        if self.options.negatives is not None:
            scores = scores.masked_fill(~self._met(draws, len(z)).to(z.device), -torch.inf)
        own = torch.arange(len(z), device=z.device)
        return F.cross_entropy(scores, own) + self.options.length * z.square().sum(-1).mean()

    def _met(self, draws: Any, pairs: int) -> Tensor:
        """(N, N): whether the anchor of a row meets the positive of a column, its own always among them."""
        order = draws.uniform("negatives", pairs).fill_diagonal_(-1).argsort(1)
        return torch.zeros(pairs, pairs, dtype=torch.bool, device=order.device).scatter_(
            1, order[:, : self.options.negatives + 1], True
        )
