"""The spectral contrastive loss, HaoChen et al. 2021 (arXiv 2106.04156)."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.engine.method import Method, exact
from repro.methods.contrastive.spectral_options import SpectralOptions


class Spectral(Method):
    """Embeddings whose scalar products approximate the augmentation graph; at the optimum, its eigenvectors.

    The loss of the authors' code is also divided by `mu`, which this one, the paper's, is not; for mu = 1 both are
    the same.
    """

    Options = SpectralOptions

    least = 2  # a sample alone has no negatives

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, C, H, W) -> z (n, 2, d) in the ball of radius √mu."""
        z = exact(self.project(views))
        excess = z.norm(dim=-1, keepdim=True) / self.options.mu**0.5
        return {"z": z / excess.clamp(min=1)}

    def loss(self, z: Tensor) -> Tensor:
        """z (N, 2, d) of the whole batch -> the loss of section 3.2.

        −2 E f(x)ᵀf(x⁺) + E (f(x)ᵀf(x⁻))²; x⁻ is the second view of another sample than x.
        """
        products = z[:, 0] @ z[:, 1].T
        itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
        return products[~itself].square().mean() - 2 * products.diagonal().mean()
