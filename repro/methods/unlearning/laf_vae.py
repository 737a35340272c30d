"""The distribution of representations for label-agnostic forgetting, Shen et al. 2024 (arXiv 2404.00506)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from repro.engine.draws import Draws
from repro.engine.method import Method
from repro.methods.generative.vae import divergence
from repro.methods.unlearning.laf_vae_options import LAFVAEOptions


class LAFVAE(Method):
    """A variational autoencoder, the head, of the encoder's features; the encoder is to be frozen.

    The loss is that of the authors' code, ShaofeiShen768/LAF at bda3694, Train.py.
    """

    Options = LAFVAEOptions
    guarded = ()
    head: Any

    def embed(self, views: Tensor, draws: Draws) -> dict[str, Tensor]:
        """views (n, 1, C, H, W) -> the squared error (n,) of the reconstruction, and the divergence (n,) in nats."""
        e = self.encoder(views[:, 0])
        reconstruction, *latent = self.head.sampled(e, draws.normal("z", self.head.latent))
        return {"error": (reconstruction - e).square().sum(1), "divergence": divergence(*latent)}

    def loss(self, error: Tensor, divergence: Tensor) -> Tensor:
        """Both (N,) -> the mean of error + weight · divergence."""
        return (error + self.options.divergence_weight * divergence).mean()
