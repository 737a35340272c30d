"""Layer-wise adaptive rate scaling, You et al. 2017 (arXiv 1708.03888)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from repro.engine.optimizers.base import UpdateRule
from repro.engine.optimizers.lars_options import LARSOptions


class LARS(UpdateRule):
    """See `Layerwise`."""

    Options = LARSOptions

    def build(self, parameters: list[Any], fused: bool | None) -> torch.optim.Optimizer:
        o = self.options
        adaptation = (o.trust or 0.001, bool(o.clip), bool(o.joint))
        return Layerwise(parameters, o.lr, o.momentum, o.weight_decay, *adaptation)


class Layerwise(torch.optim.Optimizer):
    """SGD with momentum whose step is scaled, parameter by parameter, by trust · ‖w‖ / (‖g‖ + decay · ‖w‖).

    Algorithm 1 of the paper. With `joint`, the scale is trust · ‖w‖ / ‖g + decay · w‖, as in the codes of SimCLR and
    its successors. With `clip`, the scaled rate is never above `lr` (LARC). Groups with `adapt: False` take
    plain SGD steps. A parameter or gradient of norm zero is not scaled.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 0.001,
        clip: bool = False,
        joint: bool = False,
    ):
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, {**defaults, "trust": trust, "clip": clip, "joint": joint, "adapt": True})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update from the gradients that are there."""
        for group in self.param_groups:
            for w in group["params"]:
                if w.grad is None:
                    continue
                update = w.grad + group["weight_decay"] * w
                if group["adapt"]:
                    update *= self._scale(w, w.grad, update, group)
                state = self.state[w]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(w)
                velocity = state["momentum_buffer"].mul_(group["momentum"]).add_(update)
                w.sub_(velocity, alpha=group["lr"])

    @staticmethod
    def _scale(w: Tensor, gradient: Tensor, decayed: Tensor, group: dict[str, Any]) -> Tensor:
        size, slope = w.norm(), gradient.norm()
        length = decayed.norm() if group["joint"] else slope + group["weight_decay"] * size
        rate = group["trust"] * size / length
        if group["clip"]:
            rate = (rate / group["lr"]).clamp(max=1) if group["lr"] > 0 else torch.ones_like(rate)
        return torch.where((size > 0) & (slope > 0), rate, 1.0)
