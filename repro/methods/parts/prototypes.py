"""Prototypes and the ways of assigning samples to them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.method import unit


class Prototypes(nn.Module):
    """z (…, dim) -> its scalar products with `count` learnt unit vectors (…, count)."""

    def __init__(self, count: int, dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(count, dim))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, z: Tensor) -> Tensor:
        return F.linear(z, unit(self.weight))


@torch.no_grad()
def sinkhorn(scores: Tensor, epsilon: float, iterations: int) -> Tensor:
    """scores (N, K) -> codes (N, K): rows sum to 1, and all prototypes get about the same share.

    The Sinkhorn-Knopp iteration on exp(scores / ε), Caron et al. 2020 (arXiv 2006.09882), section 3.1.
    """
    log_q = scores / epsilon
    n, k = log_q.shape
    for _ in range(iterations):
        log_q = log_q - log_q.logsumexp(0, keepdim=True) - math.log(k)
        log_q = log_q - log_q.logsumexp(1, keepdim=True) - math.log(n)
    return (log_q + math.log(n)).exp()


@torch.no_grad()
def spherical_kmeans(x: Tensor, k: int, iterations: int) -> tuple[Tensor, Tensor]:
    """x (N, d) on the unit sphere -> centroids (k, d) on it, and the nearest one (N,) of each row.

    Starts from k rows drawn by torch's generator. An empty cluster keeps its centroid.
    """
    chosen = torch.randperm(len(x))[:k].to(x.device)
    centroids = x[chosen]
    for _ in range(iterations):
        nearest = _nearest(x, centroids)
        sums = _sums(x, nearest, k)
        empty = nearest.bincount(minlength=k)[:, None] == 0
        centroids = torch.where(empty, centroids, unit(sums))
    return centroids, _nearest(x, centroids)


def _sums(x: Tensor, cluster: Tensor, k: int) -> Tensor:
    """The sum (k, d) of each cluster's rows, as matrix products: on every device the same each time."""
    parts = zip(x.split(8192), cluster.split(8192), strict=True)
    return torch.stack([F.one_hot(c, k).T.to(x.dtype) @ rows for rows, c in parts]).sum(0)


def _nearest(x: Tensor, centroids: Tensor) -> Tensor:
    return torch.cat([(some @ centroids.T).argmax(1) for some in x.split(8192)])
