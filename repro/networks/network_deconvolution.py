"""Network deconvolution, Feizi et al. 2013 (Nature Biotechnology 31): a closed form, nothing is learnt."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.networks.network_deconvolution_options import NetworkDeconvolutionOptions


class NetworkDeconvolution(nn.Module):
    """Observed graphs A (n, N, N), symmetric -> B = A (I + α A)^−1 (n, N, N).

    With α = 1 A is the sum of all powers of B: what goes along edges of B, and of edges, and so on.
    """

    Options = NetworkDeconvolutionOptions

    def __init__(self, options: Any, shape: tuple[int, ...]):
        super().__init__()
        self.strength, self.dim = options.strength, shape[0] * shape[1]

    def forward(self, observed: Tensor) -> Tensor:
        unit = torch.eye(observed.shape[1], dtype=observed.dtype, device=observed.device)
        return torch.linalg.solve(unit + self.strength * observed, observed)
