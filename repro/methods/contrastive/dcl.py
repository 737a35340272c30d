"""Decoupled contrastive learning (DCL, DCLW), Yeh et al. 2022 (arXiv 2110.06848)."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.engine.method import Method, unit
from repro.methods.contrastive.dcl_options import DCLOptions


def pairs(z: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """z (N, 2, d) on the unit sphere -> the logits of each of the 2N views, cosine / τ.

    With my other view (2N,), and with the 2N − 2 views of other samples (2N, 2N − 2). All first views come
    first, as in `nt_xent`.
    """
    n = len(z)
    views = torch.cat([z[:, 0], z[:, 1]])
    others = ~torch.eye(n, dtype=torch.bool, device=z.device).repeat(2, 2)
    positive = (z[:, 0] * z[:, 1]).sum(-1) / temperature
    return positive.repeat(2), (views @ views.T / temperature)[others].view(2 * n, 2 * n - 2)


def fisher_weights(z: Tensor, sigma: float) -> Tensor:
    """z (N, 2, d) -> w (N,), with mean 1: 2 − exp(cosine / σ) over its mean, less for pairs that already agree."""
    return 2 - len(z) * ((z[:, 0] * z[:, 1]).sum(-1) / sigma).softmax(0)


class DCL(Method):
    """SimCLR without the positive in the denominator, which couples the gradient's size to how easy a pair is.

    With `weighted_sigma` it is DCLW: the positives are weighted by a negative von Mises-Fisher density. The gradient
    also passes through the weights, as the paper does not stop it.
    """

    Options = DCLOptions

    least = 2  # a sample alone has no negatives

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, C, H, W) -> z (n, 2, d) on the unit sphere."""
        return {"z": unit(self.project(views))}

    def loss(self, z: Tensor) -> Tensor:
        """z (N, 2, d) of the whole batch -> L_DC or L_DCW of section 3, in nats per view; may be negative."""
        positive, negative = pairs(z, self.options.temperature)
        if self.options.weighted_sigma:
            weighed = z.detach() if self.options.stop_weights else z
            positive = positive * fisher_weights(weighed, self.options.weighted_sigma).repeat(2)
        return (self.options.scale or 1) * (negative.logsumexp(1) - positive).mean()
