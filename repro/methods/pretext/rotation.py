"""Predicting image rotations (RotNet), Gidaris et al. 2018 (arXiv 1803.07728), section 2.1."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.engine.method import Method, view_cross_entropy
from repro.methods.pretext.rotation_options import RotationOptions


class Rotation(Method):
    """Every view is shown in all four rotations by 90°, and the head (four outputs) says which is which."""

    Options = RotationOptions
    guarded = ()  # the four rotations of a symmetric image may well get the same logits

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, V, C, S, S) -> logits (n, 4 V, 4), the rotations of a view one after the other."""
        turned = torch.stack([views.rot90(k, (-2, -1)) for k in range(4)], 2)
        return {"logits": self.project(turned.flatten(1, 2))}

    def loss(self, logits: Tensor) -> dict[str, Tensor]:
        """logits (N, 4 V, 4) -> cross-entropy in nats per rotated view (eq. 2), and the share told rightly."""
        shown = torch.arange(4, device=logits.device).repeat(logits.shape[1] // 4)
        accuracy = (logits.argmax(-1) == shown).to(logits.dtype).mean()
        return {"loss": view_cross_entropy(logits.transpose(0, 1), shown), "accuracy": accuracy}
