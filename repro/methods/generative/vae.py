"""The variational autoencoder, Kingma and Welling 2013 (arXiv 1312.6114)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.draws import Draws
from repro.engine.method import Method, exact
from repro.methods.generative.vae_options import VAEOptions
from repro.networks.build import build_head


class VAE(Method):
    """Maximises the lower bound of log p(x) with one sample of the latent variables (equation 10, appendices B, C).

    The encoder and its head give mean and log variance of q(z|x), as many of each as there are latent variables; the
    decoder gives the probability of every pixel to be white. Pixels in 0..1 are taken as such probabilities.
    """

    Options = VAEOptions
    guarded = ()

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.latent = head.dim // 2
        self.decoder = build_head(options.decoder, self.latent)
        if options.initial_sd:
            for p in self.parameters():
                nn.init.normal_(p, std=options.initial_sd)

    def embed(self, views: Tensor, draws: Draws) -> dict[str, Tensor]:
        """views (n, 1, C, H, W) in 0..1 -> reconstruction, divergence (n,) in nats: the bound's two parts."""
        x = views[:, 0]
        mean, log_variance = self.head(self.encoder(x)).chunk(2, -1)
        z = mean + (log_variance / 2).exp() * draws.normal("z", self.latent)
        logits, x = exact(self.decoder(z.to(mean.dtype))), exact(x.flatten(1))
        return {
            "reconstruction": -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1),
            "divergence": divergence(exact(mean), exact(log_variance)),
        }

    def loss(self, reconstruction: Tensor, divergence: Tensor) -> dict[str, Tensor]:
        """Both (N,) -> minus the bound in nats, the mean over images."""
        loss = (divergence - reconstruction).mean()
        return {"loss": loss, "reconstruction": reconstruction.mean(), "divergence": divergence.mean()}


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """(n, d) each -> KL(q(z|x) ‖ N(0, I)) (n,) in nats (appendix B)."""
    return (torch.expm1(log_variance) - log_variance + mean.square()).sum(-1) / 2
