"""The decoder-only transformer of Vaswani et al. 2017 (arXiv 1706.03762), as in openai/grok.

LayerNorm comes after each residual sum, linear maps have no bias, positions are sinusoids added to the embeddings.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    """x (n, L, d) -> (n, L, d), causal; with `last` only the last token's output (n, 1, d), the same numbers."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.perceptron = nn.Sequential(
            nn.Linear(width, 4 * width, bias=False), nn.ReLU(), nn.Linear(4 * width, width, bias=False)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))

    def forward(self, x: Tensor, last: bool = False) -> Tensor:
        of = x[:, -1:] if last else x
        q, k, v = (
            y.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for y in (self.query(of), self.key(x), self.value(x))
        )
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=not last)
        y = self.norms[0](of + self.out(attended.transpose(1, 2).flatten(2)))
        return self.norms[1](y + self.perceptron(y))


class Transformer(nn.Module):
    """tokens (n, L) int64 below `vocabulary` -> logits (n, vocabulary) of the token that follows."""

    def __init__(self, vocabulary: int, length: int, width: int, layers: int, heads: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.positions = nn.Buffer(sinusoids(length, width), persistent=False)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens) + self.positions[: tokens.shape[1]]
        for block in self.blocks[:-1]:
            x = block(x)
        return self.head(self.blocks[-1](x, last=True)[:, 0])


def sinusoids(length: int, width: int) -> Tensor:
    """(length, width): sin(p/10000^(2i/width)) and its cosine in the columns 2i and 2i + 1 (section 3.5)."""
    return sines(torch.arange(length), width)


def sines(place: Tensor, width: int) -> Tensor:
    """The same at any places (n,) -> (n, width)."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10000) / width))
    angles = place[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)
