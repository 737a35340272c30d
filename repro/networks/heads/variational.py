"""A variational autoencoder of features, as in Shen et al. 2024 (arXiv 2404.00506)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from repro.networks.heads.variational_options import VariationalOptions
from repro.networks.mlp import perceptron


class Variational(nn.Module):
    """features (n, dim) -> their reconstruction (n, dim) in 0..1, from the means of the latent variables.

    ReLU stands between the layers, and a sigmoid at the end.
    """

    Options = VariationalOptions

    def __init__(self, options: Any, dim: int, classes: int):
        super().__init__()
        self.dim, self.latent = dim, options.latent
        self.encoder = perceptron((dim, *options.hidden, 2 * self.latent))
        self.decoder = nn.Sequential(perceptron((self.latent, *options.hidden[::-1], dim)), nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        reconstruction: Tensor = self.decoder(self.encode(features)[0])
        return reconstruction

    def encode(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """features (n, dim) -> mean and log variance of q(z|features), each (n, latent)."""
        mean, log_variance = self.encoder(features).chunk(2, -1)
        return mean, log_variance

    def sampled(self, features: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """features (n, dim), noise (n, latent) -> reconstruction from mean + sd · noise, mean, log variance."""
        mean, log_variance = self.encode(features)
        return self.decoder(mean + (log_variance / 2).exp() * noise), mean, log_variance
