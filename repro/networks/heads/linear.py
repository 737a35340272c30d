"""A linear head: a classifier, or a linear projection."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from repro.networks.heads.linear_options import LinearOptions


class Linear(nn.Module):
    """features (n, dim) -> (n, out), with BatchNorm if asked for; by way of the `inner` widths, still linear."""

    Options = LinearOptions

    def __init__(self, options: Any, dim: int, classes: int):
        super().__init__()
        self.dim = options.out or classes
        linear = nn.Linear(dim, self.dim, bias=options.bias is not False and not options.out_norm)
        if options.glorot:
            nn.init.xavier_uniform_(linear.weight)
        self.net: nn.Module = linear
        if options.inner:
            widths = pairwise((dim, *options.inner, self.dim))
            self.net = nn.Sequential(*(nn.Linear(*width) for width in widths))
        if options.out_norm:
            norm = nn.BatchNorm1d(self.dim, affine=options.out_norm == "affine")
            self.net = nn.Sequential(linear, norm)

    def forward(self, features: Tensor) -> Tensor:
        return self.net(features)
