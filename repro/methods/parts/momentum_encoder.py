"""The momentum encoder: a network that slowly follows another, He et al. 2020 (arXiv 1911.05722), eq. 2."""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn

from repro.options import Momentum


class MomentumEncoder(nn.Module):
    """Copies of the networks, without gradient, whose weights are a moving average of theirs.

    Only weights are averaged: the copies' BatchNorm takes its own statistics.
    """

    def __init__(self, *networks: nn.Module):
        super().__init__()
        self.networks = nn.ModuleList(deepcopy(network) for network in networks).requires_grad_(False)

    def __iter__(self) -> Iterator[nn.Module]:
        return iter(self.networks)

    @torch.no_grad()
    def update(self, *networks: nn.Module, decay: float) -> None:
        """own ← decay · own + (1 − decay) · theirs."""
        own: list[Tensor] = list(self.networks.parameters())
        theirs: list[Tensor] = [p for network in networks for p in network.parameters()]
        torch._foreach_lerp_(own, theirs, 1 - decay)

    def hand_over(self, *networks: nn.Module) -> None:
        """theirs ← own, weights and statistics alike; of the first copies, where fewer networks are given."""
        for own, theirs in zip(self.networks, networks, strict=False):
            theirs.load_state_dict(own.state_dict())


def ema_decay(momentum: Momentum, step: int, total: int) -> float:
    """The EMA decay after `step` (from 0) of `total` steps: constant, or half a cosine."""
    if momentum.end is None:
        return momentum.start
    return momentum.end - (momentum.end - momentum.start) * (1 + math.cos(math.pi * step / total)) / 2
