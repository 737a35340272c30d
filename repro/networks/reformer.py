"""The Reformer as a language model: Kitaev et al. 2020 (arXiv 2001.04451); details from google/trax, ReformerLM."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from repro.networks.attention.full import shared_qk
from repro.networks.attention.lsh import lsh, rotations
from repro.networks.reversible import Reversible, through


class Attention(nn.Module):
    """Causal shared-QK attention with `heads` heads, after a layer norm: x (n, L, width) -> (n, L, width).

    Full, or by hashing where `rotations` are given (heads, rounds, width/heads, buckets/2).
    """

    def __init__(self, width: int, heads: int, chunk: int):
        super().__init__()
        self.heads, self.chunk = heads, chunk
        self.rotations: Tensor | None = None
        self.norm = nn.LayerNorm(width)
        self.qk, self.v, self.out = (nn.Linear(width, width, bias=False) for _ in range(3))

    def rehash(self, rounds: int, buckets: int, random: torch.Generator | None = None) -> None:
        """Draws new rotations; none for 0 rounds."""
        width = self.qk.out_features // self.heads
        drawn = rotations(self.heads, rounds, width, buckets, random).to(self.qk.weight)
        self.rotations = drawn if rounds else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        qk, v = (part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.qk, self.v))
        heads = shared_qk(qk, v) if self.rotations is None else lsh(qk, v, self.rotations, self.chunk)
        mixed: Tensor = self.out(heads.transpose(1, 2).flatten(2))
        return mixed


def feed_forward(width: int, hidden: int) -> nn.Sequential:
    """Layer norm and a perceptron of one hidden layer."""
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))


class Reformer(nn.Module):
    """tokens (n, L) -> logits (n, L, symbols) of each next token.

    Both streams of the reversible blocks begin with the embeddings of symbol and place (fixed sines), and end
    side by side before the last layer. `chunk` is m of the sorted positions; there are 2L/m buckets.
    """

    def __init__(
        self, symbols: int, length: int, width: int, hidden: int, heads: int, layers: int, chunk: int
    ):
        super().__init__()
        self.buckets = 2 * length // chunk
        self.symbols = nn.Embedding(symbols, width)
        self.places = nn.Buffer(sines(length, width), persistent=False)
        attention = (Attention(width, heads, chunk) for _ in range(layers))
        self.stack = nn.ModuleList(Reversible(a, feed_forward(width, hidden)) for a in attention)
        self.norm = nn.LayerNorm(2 * width)
        self.logits = nn.Linear(2 * width, symbols)

    def rehash(self, rounds: int, random: torch.Generator | None = None) -> None:
        """Draws every layer's rotations for `rounds` rounds of hashing; 0 for full attention."""
        for layer in self.modules():
            if isinstance(layer, Attention):
                layer.rehash(rounds, self.buckets, random)

    def embedded(self, tokens: Tensor) -> Tensor:
        """What both streams begin with, (n, L, width)."""
        x: Tensor = self.symbols(tokens) + self.places
        return x

    def forward(self, tokens: Tensor, reversibly: bool = False) -> Tensor:
        """The logits; `reversibly` keeps less for the backward pass and computes more in it."""
        y1 = y2 = self.embedded(tokens)
        if reversibly:
            y1, y2 = through(self.stack, y1, y2)
        else:
            for block in self.stack:
                y1, y2 = block(y1, y2)
        logits: Tensor = self.logits(self.norm(torch.cat([y1, y2], -1)))
        return logits


def sines(length: int, width: int) -> Tensor:
    """(length, width): sin and cos of t/10000^(2i/width), in turn, as in Vaswani et al. 2017, section 3.5."""
    rates = torch.exp(-math.log(10000) * torch.arange(0, width, 2) / width)
    angles = torch.arange(length)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)
