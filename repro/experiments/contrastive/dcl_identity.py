"""The factor by which InfoNCE's gradient fades: Yeh et al. 2022 (arXiv 2110.06848), Proposition 1."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.method import unit
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.contrastive.dcl_identity_options import DclIdentityOptions
from repro.keys import generator, key
from repro.methods.contrastive.dcl import DCL, pairs


class DclIdentity(Stage):
    """Gradients of InfoNCE and DCL by all views, on random unit vectors, against the formulas, in float64.

    A second view is the unit vector along the first plus `noise` times a random unit vector.

    Metrics: `infonce_error` and `dcl_error`, the largest absolute differences between automatic gradients by the
    logits and their formulas (`infonce_error`: q_B times DCL's gradient of each view); `coupling`, the mean q_B;
    `loss_error`, the largest difference between `repro.methods.contrastive.dcl`'s loss and the mean over anchors.
    """

    Options = DclIdentityOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        random = generator(key(ctx.seed, ctx.stage, "embeddings"))
        x, other = unit(torch.randn(2, o.samples, o.dim, generator=random, dtype=torch.float64))
        z = torch.stack([x, unit(x + o.noise * other)], 1)
        positive, negative = pairs(z, o.temperature)
        logits = torch.cat([positive[:, None], negative], 1)
        infonce = gradient(logits, lambda s: s.logsumexp(1) - s[:, 0])
        decoupled = gradient(logits, lambda s: s[:, 1:].logsumexp(1) - s[:, 0])
        q = coupling(logits)
        method = DCL(DCL.Options(name="dcl", temperature=o.temperature), nn.Identity(), nn.Identity())
        mean = (negative.logsumexp(1) - positive).mean()
        metrics = {
            "infonce_error": (infonce - q[:, None] * dcl_gradient(logits)).abs().max().item(),
            "dcl_error": (decoupled - dcl_gradient(logits)).abs().max().item(),
            "coupling": q.mean().item(),
            "loss_error": (method.loss(z) - mean).abs().item(),
        }
        return Outcome(metrics)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"samples": min(options.samples, 16)})


def gradient(logits: Tensor, loss: Any) -> Tensor:
    """The derivative of each anchor's loss (n,) by its logits (n, 1 + negatives), the positive first."""
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(loss(logits).sum(), logits)[0]


def coupling(logits: Tensor) -> Tensor:
    """q_B = 1 − e^{s⁺}/(e^{s⁺} + Σ e^{s⁻}) (n,) of Proposition 1: the negatives' share."""
    return 1 - logits.softmax(1)[:, 0]


def dcl_gradient(logits: Tensor) -> Tensor:
    """−1 for the positive and the softmax over the negatives, of each anchor (n, 1 + negatives)."""
    return torch.cat([-torch.ones_like(logits[:, :1]), F.softmax(logits[:, 1:], 1)], 1)
