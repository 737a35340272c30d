"""Training on many wrong labels a right one, Rolnick et al. 2017 (arXiv 1705.10694), section 3."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.method import Method
from repro.keys import hashed, uniform
from repro.methods.noisy_labels.massive_noise_options import MassiveNoiseOptions


class MassiveNoise(Method):
    """Cross-entropy on α + 1 copies of every image: one with its label, the others with labels uniform over all.

    The copies are not stored: α + 1 epochs pass through all of them once, each through one copy of every image, and
    which copy has the right label is a matter of the image. Further epochs repeat them.
    """

    Options = MassiveNoiseOptions
    guarded = ()

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.key = nn.Buffer(torch.randint(2**62, ()))

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 1, C, H, W) -> logits (n, K)."""
        return {"logits": self.project(views)[:, 0]}

    def loss(self, logits: Tensor, label: Tensor, index: Tensor, epoch: int) -> Tensor:
        """logits (N, K), label and index (N,) -> nats, with the labels of this epoch's copies."""
        return F.cross_entropy(logits, self.noisy(label, index, epoch, logits.shape[1]))

    def noisy(self, label: Tensor, index: Tensor, epoch: int, classes: int) -> Tensor:
        """label and index (N,) -> the labels (N,) of the images' copies in this epoch."""
        copies = self.options.alpha + 1
        copy = epoch % copies
        right = hashed(self.key, index).remainder(copies) == copy
        drawn = uniform(self.key + 1, index * copies + copy, 1)[:, 0]
        return torch.where(right, label, (drawn * classes).long())
