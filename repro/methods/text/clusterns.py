"""ClusterNS, Deng et al. 2023 (arXiv 2305.09892); details from djz233/ClusterNS."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.method import Method, exact, info_nce, unit
from repro.methods.text.clusterns_options import ClusterNSOptions


class ClusterNS(Method):
    """SimCSE with an online k-means: the second nearest centroid of each sentence is a hard negative of all, and
    sentences of one cluster are false negatives, kept at a distance of their own. The centroids follow each batch
    before its loss. They begin once a batch is spread widely enough, as sentences each far from the one before.
    """

    Options = ClusterNSOptions

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.least = options.clusters
        self.centroids = nn.Buffer(torch.zeros(options.clusters, head.dim))
        self.started = nn.Buffer(torch.zeros((), dtype=torch.bool))

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, L) -> z (n, 2, d), not normalised: the centroids are sums of these."""
        return {"z": exact(self.project(views))}

    def loss(self, z: Tensor) -> Tensor:
        """z (N, 2, d) of the whole batch -> the contrast in nats per sentence, plus the weighted margin loss."""
        first, cosine = cosines(z)
        if not self.started:
            return info_nce(cosine / self.options.temperature)
        near = first @ unit(self.moved(z[:, 0].detach())).T
        closest = near.detach().topk(2).indices
        pairs = torch.cat([cosine, near[:, closest[:, 1]]], 1)  # (N, 2N): with the hard negatives of all
        contrast = info_nce(pairs / self.options.temperature)
        below = cosine - cosine.diag()[:, None]
        same = (closest[:, :1] == closest[:, 0]) & ~torch.eye(len(z), dtype=torch.bool, device=z.device)
        margin = F.relu(below + self.options.alpha) + F.relu(-below - self.options.beta)
        return contrast + self.options.margin_weight * (margin * same).mean()

    def moved(self, x: Tensor) -> Tensor:
        """x (N, d) -> the centroids (K, d) a step nearer to the sum of their sentences; those of none stay."""
        nearest = (unit(x) @ unit(self.centroids).T).argmax(1)
        members = F.one_hot(nearest, len(self.centroids)).to(x.dtype)
        sums = torch.where(members.any(0)[:, None], members.T @ x, self.centroids)
        return self.centroids.lerp(sums, self.options.rate)

    @torch.no_grad()
    def after_step(self, z: Tensor) -> None:
        if self.started:
            self.centroids.copy_(self.moved(z[:, 0]))
        elif (cosine := cosines(z)[1]).mean() <= self.options.start_cosine:
            self.centroids.copy_(z[chain(cosine, len(self.centroids)), 0])
            self.started.fill_(True)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"clusters": 2, "start_cosine": 1.0})


def cosines(z: Tensor) -> tuple[Tensor, Tensor]:
    """z (N, 2, d) -> the first passes (N, d) with length 1, and their cosines with the second ones (N, N)."""
    first, second = unit(z).unbind(1)
    return first, first @ second.T


def chain(cosine: Tensor, count: int) -> Tensor:
    """cosine (N, N) -> `count` rows: the first, then each time the one farthest from the last, none twice."""
    left, rows = cosine.clone(), [0]
    while len(rows) < count:
        left[:, rows[-1]] = torch.inf
        rows.append(int(left[rows[-1]].argmin()))
    return torch.tensor(rows, device=cosine.device)
