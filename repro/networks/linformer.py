"""A layer of the Transformer encoder, with full attention or the Linformer's: Wang et al. 2020 (arXiv 2006.04768)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from repro.networks.attention.full import full
from repro.networks.attention.linformer import linformer


class SelfAttention(nn.Module):
    """Attention of `heads` heads: x (n, L, width) -> (n, L, width).

    With `projected` K, keys and values go from L to K places by E and F (K, L), which all heads share (section 4).
    """

    def __init__(self, width: int, heads: int, length: int, projected: int | None = None):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
        if projected:
            self.e, self.f = (
                nn.Parameter(torch.randn(projected, length) / math.sqrt(projected)) for _ in range(2)
            )
        self.projected = projected

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.q, self.k, self.v)
        )
        heads = linformer(q, k, v, self.e, self.f) if self.projected else full(q, k, v)
        mixed: Tensor = self.out(heads.transpose(1, 2).flatten(2))
        return mixed


class EncoderLayer(nn.Module):
    """Attention and a perceptron, each added to its input and normalised, as in BERT: (n, L, width) -> the same."""

    def __init__(self, width: int, hidden: int, heads: int, length: int, projected: int | None = None):
        super().__init__()
        self.attention = SelfAttention(width, heads, length, projected)
        self.perceptron = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(x + self.attention(x))
        y: Tensor = self.norm2(x + self.perceptron(x))
        return y
