"""DCLR, Zhou et al. 2022 (arXiv 2205.00656); details from RUCAIBox/DCLR."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.method import Method, info_nce, unit
from repro.methods.text.dclr_options import DCLROptions


class DCLR(Method):
    """SimCSE without negatives that a `teacher`, itself of SimCSE, finds too similar, and with negatives of noise.

    The loss is the contrast of the paper. The official code instead multiplies the logits of such negatives by 0, so
    that a 1 stays in the sum, and takes the binary cross-entropy of every entry of the softmax.
    """

    Options = DCLROptions

    guarded = ("z",)

    def __init__(self, options: Any, encoder: nn.Module, head: nn.Module, teacher: nn.Module):
        super().__init__(options, encoder, head)
        self.teacher = teacher

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, L) -> z (n, 2, d), and the teacher's view of the sentence, known (n, e); on unit spheres."""
        with torch.no_grad():
            known = unit(self.teacher(views[:, 0]))
        return {"z": unit(self.project(views)), "known": known}

    def loss(self, z: Tensor, known: Tensor, draws: Any) -> Tensor:
        """z (N, 2, d), known (N, e) of the whole batch -> nats per sentence."""
        first, second = z.unbind(1)
        cosine = first @ second.T
        itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
        alike = (known @ known.T >= self.options.threshold) & ~itself
        start = draws.normal("noise", self.options.noise, z.shape[-1]).flatten(0, 1).to(z)
        noise = self.hardened(start, first.detach(), cosine.detach())
        logits = torch.cat([cosine.masked_fill(alike, -torch.inf), first @ unit(noise).T], 1)
        return info_nce(logits / self.options.temperature)

    @torch.enable_grad()
    def hardened(self, noise: Tensor, first: Tensor, cosine: Tensor) -> Tensor:
        """noise (B, d) -> after some steps of a fixed length up the contrast of the batch with it."""
        for _ in range(self.options.ascents):
            noise = noise.detach().requires_grad_()
            logits = torch.cat([cosine, first @ unit(noise).T], 1) / self.options.temperature
            (slope,) = torch.autograd.grad(info_nce(logits), noise)
            noise = noise + self.options.ascent * unit(slope)
        return noise.detach()
