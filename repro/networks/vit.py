"""The vision transformer, Dosovitskiy et al. 2021 (arXiv 2010.11929), which may see a part of the patches only."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.errors import UserError
from repro.networks.transformer import sines
from repro.networks.vit_options import ViTOptions


class ViT(nn.Module):
    """images (n, C, S, S) -> features (n, width), of the class token or the mean over patches, after a LayerNorm.

    Blocks with LayerNorm first, GELU and perceptrons of four times the width; positions are sines and cosines of row
    and column, as in the masked autoencoder (He et al. 2021, arXiv 2111.06377), and stretch with the image's size.
    """

    Options = ViTOptions

    def __init__(self, options: Any, shape: tuple[int, ...]):
        super().__init__()
        if shape[-1] % options.patch:
            raise UserError(
                f"backbone `vit`: images of {shape[-1]} pixels do not divide into patches of {options.patch}; "
                "give another `patch`, or views of another `size`."
            )
        self.dim, self.patch, self.pool = options.width, options.patch, options.pool
        self.side = shape[-1] // options.patch
        self.patches = self.side**2
        self.project = nn.Conv2d(shape[0], self.dim, options.patch, stride=options.patch)
        self.token = nn.Parameter(0.02 * torch.randn(self.dim))
        self.blocks = blocks(self.dim, options.depth, options.heads)
        self.norm = nn.LayerNorm(self.dim)
        nn.init.xavier_uniform_(self.project.weight.data.view(self.dim, -1))  # as of a linear layer

    def forward(self, images: Tensor, keep: Tensor | None = None) -> Tensor:
        """images (n, C, S, S), keep (n, k): the numbers of the patches that are seen (default: all) -> (n, width)."""
        tokens = self.tokens(images, keep)
        return tokens[:, 0] if self.pool == "class" else tokens[:, 1:].mean(1)

    def tokens(self, images: Tensor, keep: Tensor | None = None) -> Tensor:
        """As `forward` -> (n, 1 + k, width), the class token and those of the patches that are seen."""
        x = self.project(images)
        x = (
            (x + positions(x.shape[-1], self.side, self.dim).to(x).T.view(self.dim, *x.shape[2:]))
            .flatten(2)
            .mT
        )
        if keep is not None:
            x = x.gather(1, keep[:, :, None].expand(-1, -1, self.dim))
        return self.norm(self.blocks(torch.cat([self.token.to(x).expand(len(x), 1, -1), x], 1)))


def blocks(width: int, depth: int, heads: int) -> nn.Sequential:
    """tokens (n, L, width) -> (n, L, width)."""
    layers = [
        nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        for _ in range(depth)
    ]
    for layer in layers:
        for p in layer.parameters():
            nn.init.xavier_uniform_(p) if p.dim() > 1 else None
    return nn.Sequential(*layers)


def positions(side: int, full: int, width: int) -> Tensor:
    """(side², width) for a grid of side × side patches, in the coordinates of one of full × full."""
    place = (torch.arange(side) + 0.5) * full / side - 0.5
    one = sines(place, width // 2)
    return torch.cat([one.repeat_interleave(side, 0), one.repeat(side, 1)], 1)
