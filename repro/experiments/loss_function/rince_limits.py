"""RINCE between InfoNCE and a symmetric loss: Chuang et al. 2022 (arXiv 2201.04309)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from repro.engine.method import unit
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.loss_function.rince_limits_options import RinceLimitsOptions
from repro.keys import generator, key


class RinceLimits(Stage):
    """RINCE on the logits of random unit vectors in float64, near its limits q → 0 and q = 1.

    Metrics: `limit_error`, the largest absolute difference at `small` q to InfoNCE + log λ; `order`, log₁₀ of that
    difference at 10 `small` over the one at `small`; `linear_error`, the largest difference at q = 1 to
    −(1 − λ) e^{s⁺} + λ Σ e^{s⁻}; `gradient_error`, of the gradient by the positive at q = 1 to −(1 − λ) e^{s⁺}.
    `pull_0`, `pull_half`, `pull_1`: the pull on false positives (their logit is the least of all), −dL/ds⁺ over
    its mean for true ones, at `small`, 1/2 and 1.
    """

    Options = RinceLimitsOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        random = generator(key(ctx.seed, ctx.stage, "embeddings"))
        dtype = torch.float64
        z = unit(torch.randn(o.anchors, o.dim, generator=random, dtype=dtype))
        others = unit(torch.randn(o.anchors, o.negatives, o.dim, generator=random, dtype=dtype))
        close = unit(z + torch.randn(o.anchors, o.dim, generator=random, dtype=dtype) / (2 * o.dim**0.5))
        negative = (others @ z[:, :, None]).squeeze(-1) / o.temperature
        positive = (z * close).sum(1) / o.temperature
        limit = torch.cat([positive[:, None], negative], 1).logsumexp(1) - positive + math.log(o.weight)
        linear = (o.weight - 1) * positive.exp() + o.weight * negative.exp().sum(1)
        errors = [(rince(positive, negative, q, o.weight) - limit).abs() for q in (o.small, 10 * o.small)]
        metrics = {
            "limit_error": errors[0].max().item(),
            "order": (errors[1].max() / errors[0].max()).log10().item(),
            "linear_error": (rince(positive, negative, 1, o.weight) - linear).abs().max().item(),
            "gradient_error": (pull(positive, negative, 1, o.weight) - (1 - o.weight) * positive.exp())
            .abs()
            .max()
            .item(),
        }
        false = negative.amin(1)
        for name, q in (("pull_0", o.small), ("pull_half", 0.5), ("pull_1", 1.0)):
            true = pull(positive, negative, q, o.weight).mean()
            metrics[name] = (pull(false, negative, q, o.weight).mean() / true).item()
        return Outcome(metrics)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"anchors": 16})


def rince(positive: Tensor, negative: Tensor, q: float, weight: float) -> Tensor:
    """s⁺ (n,), s⁻ (n, m) logits, λ = `weight` -> −e^{q s⁺}/q + (λ (e^{s⁺} + Σ e^{s⁻}))^q/q (n,)."""
    total = torch.cat([positive[:, None], negative], 1).logsumexp(1) + math.log(weight)
    return ((q * total).expm1() - (q * positive).expm1()) / q


def pull(positive: Tensor, negative: Tensor, q: float, weight: float) -> Tensor:
    """−dL/ds⁺ (n,) by automatic differentiation."""
    positive = positive.clone().requires_grad_()
    return -torch.autograd.grad(rince(positive, negative, q, weight).sum(), positive)[0]
