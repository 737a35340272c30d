"""Contrastive learning with hard negatives, Robinson et al. 2021 (arXiv 2010.04592)."""

from __future__ import annotations

from torch import Tensor

from repro.engine.method import Method, unit
from repro.methods.contrastive.dcl import pairs
from repro.methods.contrastive.debiased import debiased_loss
from repro.methods.contrastive.hcl_options import HCLOptions


class HCL(Method):
    """The debiased loss with negatives that weigh exp(β · logit): the more like the anchor, the more.

    As in the authors' code the logit is cosine / τ.
    """

    Options = HCLOptions

    least = 2  # a sample alone has no negatives

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, C, H, W) -> z (n, 2, d) on the unit sphere."""
        return {"z": unit(self.project(views))}

    def loss(self, z: Tensor) -> Tensor:
        """z (N, 2, d) of the whole batch -> nats per view."""
        o = self.options
        positive, negative = pairs(z, o.temperature)
        mean = ((1 + o.beta) * negative).logsumexp(1) - (o.beta * negative).logsumexp(1)
        return debiased_loss(positive, negative, mean, o.tau_plus, o.temperature)
