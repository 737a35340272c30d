"""DeepCluster, Caron et al. 2018 (arXiv 1807.05520), section 3.2, as in the code of Patacchiola and Storkey 2020."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.method import Method, unit
from repro.methods.clustering.deepcluster_options import DeepClusterOptions
from repro.methods.parts.prototypes import kmeans


class DeepCluster(Method):
    """At the start of each epoch, k-means of all features gives the labels; the head begins anew to predict them.

    The features are whitened by PCA and brought to length 1. Of the head (as many outputs as clusters) the last layer
    is drawn anew. Small clusters weigh more: each by one minus its share.
    """

    Options = DeepClusterOptions
    guarded = ()

    cluster: Tensor
    weight: Tensor

    def begin(self, samples: int) -> None:
        like = next(self.parameters())
        self.register_buffer("cluster", torch.zeros(samples, dtype=torch.int64, device=like.device))
        self.register_buffer("weight", like.new_ones(self.options.clusters))

    @torch.no_grad()
    def before_step(self, step: int, per_epoch: int, features: Callable[[], Tensor]) -> None:
        if step % per_epoch:
            return
        o, x = self.options, unit(whitened(features()))
        self.cluster.copy_(kmeans(x, o.clusters, o.starts, o.iterations))
        self.weight.copy_(1 - self.cluster.bincount(minlength=o.clusters) / len(x))
        last: Any = [layer for layer in self.head.modules() if isinstance(layer, nn.Linear)][-1]
        nn.init.normal_(last.weight, std=0.01)
        nn.init.zeros_(last.bias)

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 1, C, H, W) -> logits (n, clusters)."""
        return {"logits": self.project(views)[:, 0]}

    def loss(self, logits: Tensor, index: Tensor) -> Tensor:
        """logits (N, clusters), index (N,) -> weighted cross-entropy in nats per sample."""
        return F.cross_entropy(logits, self.cluster[index], self.weight.to(logits.dtype))


def whitened(x: Tensor) -> Tensor:
    """x (n, d) -> its principal components, each with mean 0 and variance 1; those without variance are 0."""
    x = x.double() - x.double().mean(0)
    variance, axes = torch.linalg.eigh(x.T @ x / (len(x) - 1))
    scale = torch.where(variance > 1e-10 * variance.max(), variance.clamp_min(1e-300).rsqrt(), 0)
    return (x @ axes * scale).float()
