"""Graph deconvolution network, Wasserman et al. 2022, Learning graph structure from convolutional mixtures (arXiv
2205.09575)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.networks.gdn_options import GDNOptions


class GDN(nn.Module):
    """Observed graphs A_O (n, N, N), symmetric -> scores of the latent edges (n, N, N), of any size N.

    Proximal gradient steps, unrolled, from an estimate of zero; the mean over the channels of the last layer.
    """

    Options = GDNOptions

    def __init__(self, options: Any, shape: tuple[int, ...]):
        super().__init__()
        widths = [1, *[options.channels] * options.layers]
        self.layers = nn.ModuleList(map(Step, widths, widths[1:]))
        self.dim = shape[0] * shape[1]

    def forward(self, observed: Tensor) -> Tensor:
        latent = torch.zeros_like(observed)[:, None]
        for layer in self.layers:
            latent = layer(latent, observed, normalise=layer is not self.layers[-1])
        return latent.mean(1)

    @torch.no_grad()
    def clamp(self) -> None:
        """Keeps the thresholds in [0, 0.99]."""
        for layer in self.layers:
            layer.tau.clamp_(0, 0.99)  # type: ignore[union-attr,operator]


class Step(nn.Module):
    """S (n, C, N, N), A (n, N, N) -> ReLU(mean_c(α_oc S_c + β_oc (S_c A + A S_c)) + γ_o A − τ_o), (n, O, N, N).

    Without diagonals, and divided by its largest absolute value before the threshold if it is to `normalise`. The
    authors' code has a γ for each c as well, of which only the mean counts.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.alpha = nn.Parameter(1 + torch.randn(outputs, inputs) / 3)
        self.beta = nn.Parameter(torch.randn(outputs, inputs) / 3)
        self.gamma = nn.Parameter(torch.ones(outputs))
        self.tau = nn.Parameter(torch.linspace(0.01, 0.9, outputs))

    def forward(self, latent: Tensor, observed: Tensor, normalise: bool) -> Tensor:
        product = latent @ observed[:, None]
        mixed = torch.einsum("oc,ncij->noij", self.alpha, latent)
        mixed = mixed + torch.einsum("oc,ncij->noij", self.beta, product + product.transpose(2, 3))
        step = mixed / latent.shape[1] + self.gamma[:, None, None] * observed[:, None]
        step = step * (1 - torch.eye(step.shape[-1], dtype=step.dtype, device=step.device))
        if normalise:
            step = step / step.abs().amax((2, 3), keepdim=True).clamp(min=1e-12)
        return (step - self.tau[:, None, None]).relu()
