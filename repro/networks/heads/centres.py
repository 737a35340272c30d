"""Soft assignment to learnt centres, Xie et al. 2015 (arXiv 1511.06335), equation 1."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.networks.heads.centres_options import CentresOptions


class Centres(nn.Module):
    """features (n, dim) -> the share q (n, clusters) of every cluster in a sample, by Student's t-distribution."""

    Options = CentresOptions

    def __init__(self, options: Any, dim: int, classes: int):
        super().__init__()
        self.dim, self.alpha = options.clusters, options.alpha
        self.centres = nn.Parameter(torch.randn(options.clusters, dim))

    def forward(self, features: Tensor) -> Tensor:
        distance = (features[:, None] - self.centres).square().sum(-1)
        similarity = (1 + distance / self.alpha) ** (-(self.alpha + 1) / 2)
        return similarity / similarity.sum(1, keepdim=True)
