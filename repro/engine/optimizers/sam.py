"""Sharpness-aware minimisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from repro.engine.optimizers.base import UpdateRule
from repro.engine.optimizers.sam_options import SAMOptions


class SAM(UpdateRule):
    """SGD whose gradient is taken at w + ρ · g / ‖g‖, Foret et al. 2021 (arXiv 2010.01412), Algorithm 1."""

    Options = SAMOptions

    def build(self, parameters: list[Any], fused: bool | None) -> torch.optim.Optimizer:
        o = self.options
        decay = {"weight_decay": o.weight_decay, "nesterov": o.nesterov}
        return SharpnessAware(parameters, o.lr, o.momentum, **decay, fused=fused, radius=o.radius)


class SharpnessAware(torch.optim.SGD):
    """`step(closure)`: the closure computes loss and gradients anew; it is called twice."""

    needs_closure = True

    def __init__(self, params: Any, lr: float, momentum: float, radius: float, **options: Any):
        super().__init__(params, lr, momentum, **options)
        self.radius = radius

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        """One update; returns the loss at the weights as they were."""
        loss = closure()
        learnt = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        gradients = [p.grad for p in learnt]
        length = torch.stack([g.norm() for g in gradients if g is not None]).norm().clamp(min=1e-12)
        before = [p.clone() for p in learnt]
        torch._foreach_add_(learnt, torch._foreach_mul(gradients, float(self.radius / length)))
        try:
            closure()
        finally:  # whatever happens, a step that is given up leaves no trace
            torch._foreach_copy_(learnt, before)
        super().step()
        return loss
