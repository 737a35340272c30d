"""Prototypes and the ways of assigning samples to them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.method import unit


class Prototypes(nn.Linear):
    """z (…, dim) -> its scalar products with `count` learnt vectors (…, count), plus a learnt `bias` if wanted.

    They are unit vectors after `normalise`, to be called before each step; no gradient passes through that.
    """

    def __init__(self, count: int, dim: int, bias: bool = False):
        super().__init__(dim, count, bias)
        self.normalise()

    @torch.no_grad()
    def normalise(self) -> None:
        self.weight.copy_(unit(self.weight))


class WeightNormed(Prototypes):
    """Prototypes that are divided by their length in each pass, so that the gradient has no part along them.

    Weight normalisation, Salimans and Kingma 2016 (arXiv 1602.07868), eq. 2. The factor g is 1; with `scale` it is
    learnt, one for each prototype, and starts as the length of its vector.
    """

    def __init__(self, count: int, dim: int, scale: bool = False):
        super().__init__(count, dim)
        self.scale = nn.Parameter(self.weight.detach().norm(dim=1)) if scale else None

    def forward(self, z: Tensor) -> Tensor:
        scores = F.linear(z, unit(self.weight))
        return scores if self.scale is None else self.scale * scores

    def normalise(self) -> None:
        """Nothing: every pass does it."""


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


def swapped(targets: Tensor, log_p: Tensor) -> Tensor:
    """Cross-entropy of each view's prediction with each other global view's target, the mean over pairs and batch.

    targets (N, G, K) of the first G views, log_p (N, V, K) of all -> scalar in nats.
    """
    pairs = -torch.einsum("nik,njk->ij", targets, log_p) / len(targets)
    others = torch.ones_like(pairs).fill_diagonal_(0)
    return (others * pairs).sum() / others.sum()


@torch.no_grad()
def spherical_kmeans(x: Tensor, k: int, iterations: int) -> tuple[Tensor, Tensor]:
    """x (N, d) on the unit sphere -> centroids (k, d) on it, and the nearest one (N,) of each row.

    Starts from k rows drawn by torch's generator, from some twice if there are fewer. An empty cluster keeps its
    centroid.
    """
    chosen = torch.randperm(len(x)).repeat(-(-k // len(x)))[:k]
    centroids = x[chosen.to(x.device)]
    for _ in range(iterations):
        nearest = _nearest(x, centroids)
        sums = _sums(x, nearest, k)
        empty = nearest.bincount(minlength=k)[:, None] == 0
        centroids = torch.where(empty, centroids, unit(sums))
    return centroids, _nearest(x, centroids)


@torch.no_grad()
def kmeans(x: Tensor, k: int, starts: int, iterations: int) -> Tensor:
    """x (N, d) -> the cluster (N,) of each row: Lloyd's iteration, the best of some starts by k-means++.

    The draws (Arthur and Vassilvitskii 2007) are those of torch's generator. An empty cluster keeps its centroid.
    """
    found = [_lloyd(x, _spread(x, k), iterations) for _ in range(starts)]
    inertia = torch.stack([distance.sum() for _, distance in found])
    return torch.stack([cluster for cluster, _ in found])[inertia.argmin()]


def _spread(x: Tensor, k: int) -> Tensor:
    """k rows of x (k, d), each drawn in proportion to its squared distance from those before."""
    distance = torch.ones_like(x[:, 0])
    rows = []
    for _ in range(k):
        rows.append(x[torch.multinomial(distance.clamp_min(torch.finfo(x.dtype).tiny), 1)])
        new = (x - rows[-1]).square().sum(1)
        distance = new if len(rows) == 1 else torch.minimum(distance, new)
    return torch.cat(rows)


def _lloyd(x: Tensor, centroids: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """The cluster of each row (N,) and its squared distance from the centroid (N,)."""
    for _ in range(iterations):
        cluster, _ = _closest(x, centroids)
        sizes = cluster.bincount(minlength=len(centroids))[:, None]
        centroids = torch.where(sizes == 0, centroids, _sums(x, cluster, len(centroids)) / sizes.clamp_min(1))
    return _closest(x, centroids)


def _closest(x: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    found = [torch.cdist(some, centroids).min(1) for some in x.split(8192)]
    return torch.cat([one.indices for one in found]), torch.cat([one.values for one in found]).square()


def _sums(x: Tensor, cluster: Tensor, k: int) -> Tensor:
    """The sum (k, d) of each cluster's rows, as matrix products: on every device the same each time."""
    parts = zip(x.split(8192), cluster.split(8192), strict=True)
    return torch.stack([F.one_hot(c, k).T.to(x.dtype) @ rows for rows, c in parts]).sum(0)


def _nearest(x: Tensor, centroids: Tensor) -> Tensor:
    return torch.cat([(some @ centroids.T).argmax(1) for some in x.split(8192)])
