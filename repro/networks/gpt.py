"""The decoder of GPT-2 and GPT-3, Radford et al. 2019 and Brown et al. 2020 (arXiv 2005.14165), section 2.1."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.networks.gpt_options import GPTOptions


class GPT(nn.Module):
    """tokens (n, L) int64 -> states (n, L, width), each of which has seen its own token and earlier ones.

    LayerNorm before each layer and at the end, GELU, learnt positions; the embedding is also the last layer
    (`logits`). Weights are drawn as in openai/gpt-2: N(0, 0.02²), positions N(0, 0.01²), and the maps that add to
    the residual stream are divided by the root of their number. L is at most the length that it was built for.
    """

    Options = GPTOptions

    def __init__(self, options: Any, shape: tuple[int, ...]):
        super().__init__()
        length, vocabulary = shape
        o, self.dim = options, options.width
        self.tokens, self.positions = nn.Embedding(vocabulary, o.width), nn.Embedding(length, o.width)
        bands = (o.band if layer % 2 else None for layer in range(o.layers))
        self.blocks = nn.ModuleList(Block(o.width, o.heads, band, o.dropout) for band in bands)
        self.norm, self.dropout = nn.LayerNorm(o.width), nn.Dropout(o.dropout)
        self._initialise()

    def forward(self, tokens: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.dropout(self.tokens(tokens) + self.positions(places))
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def logits(self, states: Tensor) -> Tensor:
        """states (…, width) -> (…, vocabulary): which token comes next?"""
        return F.linear(states, self.tokens.weight)

    @torch.no_grad()
    def _initialise(self) -> None:
        for name, weight in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(weight)
            elif weight.dim() > 1:
                nn.init.normal_(weight, std=0.01 if name == "positions.weight" else 0.02)
            if name.endswith(("out.weight", "down.weight")):
                weight.div_((2 * len(self.blocks)) ** 0.5)


class Block(nn.Module):
    """x (n, L, width) -> the same: causal attention, over the last `band` tokens where given, and a perceptron."""

    def __init__(self, width: int, heads: int, band: int | None, dropout: float):
        super().__init__()
        self.heads, self.band = heads, band
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.drops = nn.ModuleList(nn.Dropout(dropout) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drops[0](self.attention(self.norms[0](x)))
        y = F.gelu(self.up(self.norms[1](x)), approximate="tanh")
        return x + self.drops[1](self.down(y))

    def attention(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if self.band is None or self.band >= x.shape[1]:
            seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            seen = F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask(x.shape[1], x.device))
        return self.out(seen.transpose(1, 2).flatten(2))

    def mask(self, length: int, device: torch.device) -> Tensor:
        """(L, L): true where the token of the row sees that of the column."""
        back = torch.arange(length, device=device)[:, None] - torch.arange(length, device=device)
        return (back >= 0) & (back < (self.band or length))
