"""BERT's pooler: a linear map and tanh."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from repro.networks.heads.pooler_options import PoolerOptions


class Pooler(nn.Module):
    """features (n, dim) -> (n, dim) in (−1, 1). SimCSE trains with it and evaluates without.

    The weights are drawn from N(0, 0.02²), as BERT's.
    """

    Options = PoolerOptions

    def __init__(self, options: Any, dim: int, classes: int):
        super().__init__()
        self.dim = dim
        self.dense = nn.Linear(dim, dim)
        nn.init.normal_(self.dense.weight, std=0.02)
        nn.init.zeros_(self.dense.bias)

    def forward(self, features: Tensor) -> Tensor:
        return self.dense(features).tanh()
