"""The moving average of a network's weights, which is what semi-supervised methods evaluate."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from repro.methods.parts.momentum_encoder import MomentumEncoder


class WeightAverage(MomentumEncoder):
    """Copies of networks whose weights are an exponential moving average of theirs, over fewer steps at first.

    BatchNorm's statistics are not averaged: they are averages already, and the networks' own are used.
    """

    def update(self, *networks: nn.Module, decay: float, step: int) -> None:  # type: ignore[override]
        """own ← d · own + (1 − d) · theirs, with d = min(`decay`, 1 − 1/(step + 1)) after step 0, 1, …"""
        super().update(*networks, decay=min(decay, 1 - 1 / (step + 1)))

    @torch.no_grad()
    def hand_over(self, *networks: nn.Module) -> None:
        """theirs ← own, of weights alone."""
        theirs: list[Tensor] = [p for network in networks for p in network.parameters()]
        own: list[Tensor] = list(self.networks.parameters())
        torch._foreach_copy_(theirs, own)
