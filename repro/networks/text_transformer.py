"""A bidirectional transformer encoder for text, as in BERT, Devlin et al. 2019 (arXiv 1810.04805)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.networks.text_transformer_options import TextTransformerOptions


class TextTransformer(nn.Module):
    """tokens (n, L) int64, 0 for padding -> features (n, width).

    Learnt positions; LayerNorm after the embeddings and after each residual sum; GELU; weights from N(0, 0.02²).
    L is at most the length that the network was built for.
    """

    Options = TextTransformerOptions

    def __init__(self, options: Any, shape: tuple[int, ...]):
        super().__init__()
        length, vocabulary = shape
        o, self.dim, self.pool = options, options.width, options.pool
        self.tokens = nn.Embedding(vocabulary, o.width, padding_idx=0)
        self.positions = nn.Embedding(length, o.width)
        self.norm, self.dropout = nn.LayerNorm(o.width, eps=1e-12), nn.Dropout(o.dropout)
        self.layers = nn.ModuleList(_layer(o) for _ in range(o.layers))
        self.apply(_initialise)

    def forward(self, tokens: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        padding = (tokens == 0) & (places > 0)  # an empty text keeps one token to look at
        x = self.dropout(self.norm(self.tokens(tokens) + self.positions(places)))
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=padding)
        if self.pool == "first":
            return x[:, 0]
        there = (~padding)[..., None].to(x.dtype)
        return (x * there).sum(1) / there.sum(1)


def _layer(o: TextTransformerOptions) -> nn.TransformerEncoderLayer:
    layer = nn.TransformerEncoderLayer(
        o.width, o.heads, o.hidden or 4 * o.width, o.dropout, "gelu", layer_norm_eps=1e-12, batch_first=True
    )
    layer.dropout.p = 0.0  # BERT drops nothing inside of the perceptron
    return layer


@torch.no_grad()
def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.MultiheadAttention):
        nn.init.normal_(module.in_proj_weight, std=0.02)
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        module.weight[module.padding_idx].zero_()
