"""DeepCluster-v2, Caron et al. 2020 (arXiv 2006.09882, appendix)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.method import Method, unit
from repro.methods.clustering.deepcluster_v2_options import DeepClusterV2Options
from repro.methods.parts.memory import Bank
from repro.methods.parts.prototypes import spherical_kmeans


class DeepClusterV2(Method):
    """All views of a sample predict its cluster among those of the last epoch's embeddings.

    At the start of each epoch, one spherical k-means for each of the `prototypes` sets the centroids and the
    samples' clusters. They take turns with the embeddings of the two global views, as in the authors' code. Epoch
    0 only collects embeddings: the centroids are zero, the loss is constant and its gradient zero. A sample that no
    epoch has met (`drop_last`) belongs to no cluster, and has no loss until the next clustering.
    """

    Options = DeepClusterV2Options

    assignments: Tensor  # −1: of no cluster

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.dim = head.dim

    def begin(self, samples: int) -> None:
        """Makes room for the embeddings, the centroids, and the clusters (heads, samples); at most one a sample."""
        like = next(self.parameters())
        self.banks = nn.ModuleList(Bank(samples, self.dim, like.device) for _ in range(2)).to(like.dtype)
        for head, k in enumerate(self.options.prototypes):
            self.register_buffer(f"centroids{head}", like.new_zeros(min(k, samples), self.dim))
        clusters = torch.zeros(len(self.options.prototypes), samples, dtype=torch.int64)
        self.register_buffer("assignments", clusters.to(like.device))

    def embed(self, views: Tensor, local: Tensor | None = None) -> dict[str, Tensor]:
        """views (n, 2, C, H, W), local (n, L, C, h, w) -> z (n, 2 + L, d) on the unit sphere."""
        z = self.project(views)
        return {"z": unit(z if local is None else torch.cat([z, self.project(local)], 1))}

    @torch.no_grad()
    def before_step(self, step: int, epoch: int, per_epoch: int) -> None:
        if epoch == 0 or step % per_epoch:
            return
        self.assignments.fill_(-1)
        for head, own in enumerate(self._centroids()):
            bank: Any = self.banks[head % 2]
            x, iterations = bank.rows[bank.met], self.options.kmeans_iterations
            centroids, self.assignments[head, bank.met] = spherical_kmeans(x, len(own), iterations)
            own.copy_(centroids)

    def loss(self, z: Tensor, index: Tensor) -> Tensor:
        """z (N, 2 + L, d), index (N,) of the whole batch -> nats, the mean over samples, views and heads."""
        total = z.new_zeros(())
        for centroids, clusters in zip(self._centroids(), self.assignments[:, index], strict=True):
            logits = (z @ centroids.T / self.options.temperature).flatten(0, 1)
            own = clusters.repeat_interleave(z.shape[1])
            total = total + F.cross_entropy(logits, own, ignore_index=-1, reduction="sum")
        return total / (self.assignments[:, index] >= 0).sum().clamp(min=1) / z.shape[1]

    def after_step(self, z: Tensor, index: Tensor) -> None:
        for view, bank in enumerate(self.banks):
            bank.put(index, z[:, view])  # type: ignore[operator]

    def _centroids(self) -> list[Tensor]:
        """(k, d) of each head, on the unit sphere or, before the first clustering, zero."""
        return [self.get_buffer(f"centroids{head}") for head in range(len(self.options.prototypes))]
