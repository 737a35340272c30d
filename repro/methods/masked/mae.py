"""The masked autoencoder, He et al. 2021 (arXiv 2111.06377)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.draws import Draws
from repro.engine.method import Method, exact
from repro.errors import UserError
from repro.methods.masked.mae_options import MAEOptions
from repro.networks.vit import ViT, blocks, positions


class MAE(Method):
    """A small decoder gives back the patches that the encoder, a ViT, did not see; the head has no part in it."""

    Options = MAEOptions
    guarded = ()
    encoder: Any

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        if not isinstance(encoder, ViT):
            raise UserError("method `mae` needs the backbone `vit`, which can see a part of the patches.")
        self.kept = max(1, round(encoder.patches * (1 - options.mask)))
        self.widen = nn.Linear(encoder.dim, options.width)
        self.mask = nn.Parameter(0.02 * torch.randn(options.width))
        self.places = nn.Buffer(positions(encoder.side, encoder.side, options.width), persistent=False)
        self.decoder = blocks(options.width, options.depth, options.heads)
        self.norm = nn.LayerNorm(options.width)
        self.pixels = nn.Linear(options.width, encoder.project.in_channels * encoder.patch**2)

    def embed(self, views: Tensor, draws: Draws) -> dict[str, Tensor]:
        """views (n, 1, C, S, S) -> error (n,): the mean square over the pixels that were not seen."""
        x = views[:, 0]
        keep = draws.order("mask", self.encoder.patches)[:, : self.kept]
        given = exact(self._decoded(self.encoder.tokens(x, keep), keep))
        error = (given - self._target(exact(x))).square().mean(-1)
        hidden = torch.ones_like(error).scatter(1, keep, 0)
        return {"error": (error * hidden).sum(1) / hidden.sum(1).clamp_min(1)}

    def loss(self, error: Tensor) -> Tensor:
        """error (N,) -> its mean."""
        return error.mean()

    def _decoded(self, tokens: Tensor, keep: Tensor) -> Tensor:
        """tokens (n, 1 + k, width of the encoder), keep (n, k) -> the pixels of all patches (n, P, p² C)."""
        seen = self.widen(tokens)
        whole = self.mask.to(seen).expand(len(seen), self.encoder.patches, -1)
        whole = whole.scatter(1, keep[:, :, None].expand(-1, -1, seen.shape[2]), seen[:, 1:])
        whole = whole + self.places.to(seen)
        return self.pixels(self.norm(self.decoder(torch.cat([seen[:, :1], whole], 1)))[:, 1:])

    def _target(self, x: Tensor) -> Tensor:
        """x (n, C, S, S) -> the pixels of its patches (n, P, p² C), normalised in each patch if asked for."""
        pixels = F.unfold(x, self.encoder.patch, stride=self.encoder.patch).mT
        if not self.options.normalise:
            return pixels
        variance, mean = torch.var_mean(pixels, -1, keepdim=True)
        return (pixels - mean) / (variance + 1e-6).sqrt()
