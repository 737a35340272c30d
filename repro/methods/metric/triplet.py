"""The triplet loss, Schroff et al. 2015 (arXiv 1503.03832) and Hermans et al. 2017 (arXiv 1703.07737)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.engine.method import Method, exact, unit
from repro.methods.metric.triplet_options import TripletOptions


class Triplet(Method):
    """An anchor must be closer to a sample of its class than to one of another, by a margin; P×K batches.

    Every sample of the batch is an anchor. With mining `hard` the loss is eq. 5 of Hermans et al. (batch hard), with
    `all` the mean over the triplets of eq. 6.
    """

    Options = TripletOptions
    least = 2  # a class alone has no negatives

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, K, 1, C, H, W) -> z (n, K, d)."""
        z = self.project(views.flatten(0, 1))[:, 0].unflatten(0, views.shape[:2])
        return {"z": unit(z) if self.options.normalised else exact(z)}

    def loss(self, z: Tensor, label: Tensor, draws: Any) -> Tensor:
        """z (N, K, d), label (N, K) -> the mean over anchors, or over all triplets."""
        label = label.flatten()
        distance = self._distances(z.flatten(0, 1))
        alike = label[:, None] == label
        positive, negative = alike.clone().fill_diagonal_(False), ~alike
        if self.options.mining == "all":
            gaps = distance[:, :, None] - distance[:, None]
            return self._penalty(gaps[positive[:, :, None] & negative[:, None]]).mean()
        if self.options.mining == "hard":
            near, far = (
                distance.masked_fill(~negative, torch.inf),
                distance.masked_fill(~positive, -torch.inf),
            )
            return self._penalty(far.amax(1) - near.amin(1)).mean()
        order = draws.uniform("triplets", z.shape[1], len(label)).flatten(0, 1).to(z.device)
        p, n = (order.masked_fill(~allowed, -1).argmax(1, keepdim=True) for allowed in (positive, negative))
        return self._penalty(distance.gather(1, p) - distance.gather(1, n)).mean()

    def _penalty(self, gap: Tensor) -> Tensor:
        """d(a, p) − d(a, n) -> how much is lost by it."""
        return F.softplus(gap) if self.options.margin is None else (gap + self.options.margin).relu()

    def _distances(self, z: Tensor) -> Tensor:
        """z (M, d) -> (M, M); the root has a finite slope also where two embeddings are equal."""
        squared = (z[:, None] - z).square().sum(-1)
        return squared if self.options.squared else squared.clamp_min(1e-12).sqrt()
