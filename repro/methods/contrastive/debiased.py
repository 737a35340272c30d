"""Debiased contrastive learning, Chuang et al. 2020 (arXiv 2007.00224)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from repro.engine.method import Method, unit
from repro.methods.contrastive.dcl import pairs
from repro.methods.contrastive.debiased_options import DebiasedOptions


def debiased_loss(
    positive: Tensor, negative: Tensor, mean: Tensor, tau_plus: float, temperature: float
) -> Tensor:
    """The loss of section 4 in nats per view, its estimator g with M = 1: the positive itself stands for its class.

    The logits (2N,) and (2N, K) of `pairs`; `mean` (2N,) is the logarithm of the mean of exp(negative), or of an
    estimate of it. g is never below exp(−1/τ), the least that unit vectors can give.
    """
    share = positive + torch.tensor(tau_plus, dtype=mean.dtype, device=mean.device).log()
    more = mean > share
    gap = torch.where(more, share - mean, -1.0)
    log_g = torch.where(more, mean + torch.log(-torch.expm1(gap)), -torch.inf) - math.log(1 - tau_plus)
    log_g = log_g.clamp(min=-1 / temperature)
    return (torch.logaddexp(positive, log_g + math.log(negative.shape[1])) - positive).mean()


class Debiased(Method):
    """SimCLR whose negatives are corrected for those that are of the anchor's class by chance."""

    Options = DebiasedOptions

    least = 2  # a sample alone has no negatives

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, C, H, W) -> z (n, 2, d) on the unit sphere."""
        return {"z": unit(self.project(views))}

    def loss(self, z: Tensor) -> Tensor:
        """z (N, 2, d) of the whole batch -> nats per view."""
        positive, negative = pairs(z, self.options.temperature)
        mean = negative.logsumexp(1) - math.log(negative.shape[1])
        return debiased_loss(positive, negative, mean, self.options.tau_plus, self.options.temperature)
