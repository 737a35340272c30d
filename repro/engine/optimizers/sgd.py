"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from typing import Any

import torch

from repro.engine.optimizers.base import UpdateRule
from repro.engine.optimizers.sgd_options import SGDOptions


class SGD(UpdateRule):
    """torch's."""

    Options = SGDOptions

    def build(self, parameters: list[Any], fused: bool | None) -> torch.optim.Optimizer:
        o = self.options
        decay = {"weight_decay": o.weight_decay, "nesterov": o.nesterov}
        sgd = torch.optim.SGD(parameters, o.lr, o.momentum, **decay, fused=fused)
        sgd.register_step_pre_hook(begin_momentum)
        return sgd


def begin_momentum(sgd: torch.optim.Optimizer, *_: Any) -> None:
    """Momentum of 0 for a parameter that is updated for the first time.

    The same as torch does, but for a part that thaws later than others, at which its fused form fails.
    """
    for group in sgd.param_groups:
        for p in group["params"] if group["momentum"] else ():
            if p.grad is not None and sgd.state[p].get("momentum_buffer") is None:
                sgd.state[p]["momentum_buffer"] = torch.zeros_like(p)
