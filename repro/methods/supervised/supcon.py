"""Supervised contrastive learning, Khosla et al. 2020 (arXiv 2004.11362)."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.engine.method import Method, unit
from repro.methods.supervised.supcon_options import SupConOptions


def supcon_loss(z: Tensor, label: Tensor, temperature: float) -> Tensor:
    """L_out, eq. 2: for each anchor the mean over its positives of −log p(positive), averaged over anchors.

    z (M, d) on the unit sphere, label (M,) -> scalar in nats. An anchor without positives contributes 0,
    as in the authors' code.
    """
    logits = z @ z.T / temperature
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    positives = (label[:, None] == label) & ~itself
    log_p = logits - logits.masked_fill(itself, -torch.inf).logsumexp(1, keepdim=True)
    return -((log_p * positives).sum(1) / positives.sum(1).clamp(min=1)).mean()


class SupCon(Method):
    """All samples of the anchor's class, in all views, are its positives."""

    Options = SupConOptions

    least = 2  # a sample alone has no negatives

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, V, C, H, W) -> z (n, V, d) on the unit sphere."""
        return {"z": unit(self.project(views))}

    def loss(self, z: Tensor, label: Tensor) -> Tensor:
        """z (N, V, d), label (N,) of the whole batch -> nats per anchor."""
        t = self.options.temperature
        scale = t / (self.options.base_temperature or t)
        return scale * supcon_loss(z.flatten(0, 1), label.repeat_interleave(z.shape[1]), t)
