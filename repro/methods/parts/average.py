"""The moving average of a network's weights, which is what semi-supervised methods evaluate."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn


class WeightAverage(nn.Module):
    """Copies of networks whose weights are an exponential moving average of theirs, over fewer steps at first.

    BatchNorm's statistics are not averaged: they are averages already, and the networks' own are used.
    """

    def __init__(self, *networks: nn.Module):
        super().__init__()
        self.networks = nn.ModuleList(deepcopy(network) for network in networks).requires_grad_(False)

    @torch.no_grad()
    def update(self, *networks: nn.Module, decay: float, step: int) -> None:
        """own ← d · own + (1 − d) · theirs, with d = min(`decay`, 1 − 1/(step + 1)) after step 0, 1, …"""
        theirs: list[Tensor] = [p for network in networks for p in network.parameters()]
        own: list[Tensor] = list(self.networks.parameters())
        torch._foreach_lerp_(own, theirs, 1 - min(decay, 1 - 1 / (step + 1)))

    @torch.no_grad()
    def hand_over(self, *networks: nn.Module) -> None:
        """theirs ← own."""
        theirs: list[Tensor] = [p for network in networks for p in network.parameters()]
        own: list[Tensor] = list(self.networks.parameters())
        torch._foreach_copy_(theirs, own)
