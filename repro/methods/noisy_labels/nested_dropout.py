"""Nested dropout against wrong labels, Chen et al. 2022 (arXiv 2206.13140)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.draws import Draws
from repro.engine.method import Method
from repro.methods.noisy_labels.nested_dropout_options import NestedDropoutOptions


class NestedDropout(Method):
    """Cross-entropy from the first k features alone, with k drawn for each batch, p(k) ∝ exp(−(k/σ)²).

    So features are ordered by what they are worth, and the few that are kept have no room for wrong labels.
    """

    Options = NestedDropoutOptions
    guarded = ()

    def __init__(self, options: Any, encoder: Any, head: nn.Module):
        super().__init__(options, encoder, head)
        number = torch.arange(1, encoder.dim + 1)
        self.below = nn.Buffer((-((number / options.sigma) ** 2)).softmax(0).cumsum(0), persistent=False)

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 1, C, H, W) -> features z (n, d)."""
        return {"z": self.encoder(views[:, 0])}

    def loss(self, z: Tensor, label: Tensor, draws: Draws) -> Tensor:
        """z (N, d), label (N,) -> nats."""
        k = int(torch.searchsorted(self.below, draws.uniform("k")[:1].to(self.below))) + 1
        return F.cross_entropy(self.head(first(z, k)), label)

    @torch.no_grad()
    def end(self) -> None:
        """What the classifier makes of other features than those that are kept is left out of it."""
        for layer in self.head.modules():
            if isinstance(layer, nn.Linear):
                layer.weight[:, self.options.keep :] = 0


def first(z: Tensor, k: int) -> Tensor:
    """z (N, d) -> the same with zeros after the first k."""
    return F.pad(z[:, :k], (0, max(0, z.shape[1] - k)))
