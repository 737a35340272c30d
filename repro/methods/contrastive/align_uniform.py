"""Alignment and uniformity on the sphere, Wang and Isola 2020 (arXiv 2005.10242)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from repro.engine.method import Method, unit
from repro.methods.contrastive.align_uniform_options import AlignUniformOptions


def alignment(x: Tensor, y: Tensor, alpha: float) -> Tensor:
    """L_align, section 4.1: E ‖x − y‖^α over the pairs of rows of x and y (N, d)."""
    return (x - y).norm(dim=-1).pow(alpha).mean()


def uniformity(x: Tensor, t: float) -> Tensor:
    """L_uniform, section 4.1: log E exp(−t ‖x − y‖²) over all pairs of different rows of x (N, d)."""
    lengths, n = x.square().sum(1), len(x)
    squares = lengths[:, None] + lengths - 2 * x @ x.T  # pdist's gradient takes N²d numbers on GPUs
    itself = torch.eye(n, dtype=torch.bool, device=x.device)
    return (-t * squares).masked_fill(itself, -torch.inf).logsumexp((0, 1)) - math.log(n * (n - 1))


class AlignUniform(Method):
    """Views of a sample lie close together, and each view's embeddings spread over the sphere."""

    Options = AlignUniformOptions

    least = 2  # a sample alone has no negatives

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, C, H, W) -> z (n, 2, d) on the unit sphere."""
        return {"z": unit(self.project(views))}

    def loss(self, z: Tensor) -> Tensor:
        """z (N, 2, d) of the whole batch -> the weighted sum of alignment and the mean uniformity of both views."""
        o, (x, y) = self.options, z.unbind(1)
        spread = (uniformity(x, o.t) + uniformity(y, o.t)) / 2
        return o.align * alignment(x, y, o.alpha) + o.uniform * spread
