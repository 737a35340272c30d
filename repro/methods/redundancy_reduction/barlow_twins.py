"""Barlow Twins, Zbontar et al. 2021 (arXiv 2103.03230)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.engine.method import Method
from repro.methods.redundancy_reduction.barlow_twins_options import BarlowTwinsOptions


class BarlowTwins(Method):
    """The cross-correlation of two views' embeddings over the batch is to be the identity."""

    Options = BarlowTwinsOptions

    least = 2  # statistics over the batch

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, C, H, W) -> z (n, 2, d)."""
        return {"z": self.project(views)}

    def loss(self, z: Tensor) -> Tensor:
        """z (N, 2, d) of the whole batch -> eq. 1, summed over the d² correlations."""
        c = cross_correlation(z)
        one = torch.eye(len(c), device=z.device, dtype=z.dtype)
        weight = one + self.options.off_diagonal * (1 - one)
        return self.options.scale * (weight * (one - c).square()).sum()


def cross_correlation(z: Tensor) -> Tensor:
    """z (N, 2, d) -> the correlations over the batch of the first view's dimensions with the second's (d, d).

    Eq. 2, with the 1e-5 in the variance that BatchNorm adds in the authors' code: a dead dimension gives 0.
    """
    a, b = (F.batch_norm(view, None, None, training=True) for view in z.unbind(1))
    return a.T @ b / len(z)
