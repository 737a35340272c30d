"""What is observed of a graph: the covariance of signals that have spread over it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from repro.keys import hashed, key, uniform
from repro.views.draws import Draws
from repro.views.field import field
from repro.views.kinds.diffusion_options import DiffusionOptions


class Diffusion:
    """The field `image` (n, 1, N, N), bright for an edge -> `views` (n, V, N, N), V copies of what is observed
    of the graph, and `latent` (n, N, N), its adjacency matrix A.

    Observed are P signals x = H w with w ~ N(0, I) and H = Σ h_k (A / λ)^k: their covariance Σ x xᵀ / P, divided
    by its largest eigenvalue. The w are drawn from A, so that a graph has the same signals whenever it is seen.
    """

    Options = DiffusionOptions

    def __init__(self, options: DiffusionOptions) -> None:
        self.options = options

    def __call__(self, fields: dict[str, Any], draws: Draws) -> dict[str, Tensor]:
        observed = self.plain(fields)
        views = observed[:, None].expand(-1, self.options.count, -1, -1)
        return {"views": views, "latent": adjacency(field(fields, "image"))}

    def plain(self, fields: dict[str, Any]) -> Tensor:
        """(n, N, N) float32."""
        latent = adjacency(field(fields, "image"))
        shift, power = by_eigenvalue(latent), torch.eye(latent.shape[1], device=latent.device)
        spread = torch.zeros_like(latent)
        for coefficient in self.options.coefficients:
            spread, power = spread + coefficient * power, power @ shift
        signals = spread @ normal(latent, self.options.signals)
        return by_eigenvalue(signals @ signals.transpose(1, 2) / self.options.signals)


def adjacency(image: Tensor) -> Tensor:
    """image (n, 1, N, N) uint8 -> (n, N, N) float32 of 0 and 1, without loops; what is above the diagonal counts."""
    above = (image[:, 0] > 127).float().triu(1)
    return above + above.transpose(1, 2)


def by_eigenvalue(matrix: Tensor) -> Tensor:
    """Symmetric matrices (n, N, N), divided by their largest eigenvalue; zeros stay zeros."""
    return matrix / torch.linalg.eigvalsh(matrix)[:, -1:, None].clamp(min=1e-12)


def normal(latent: Tensor, signals: int) -> Tensor:
    """Adjacency matrices (n, N, N) -> (n, N, signals), standard normal, keyed by the matrix (Box and Muller 1958)."""
    n, nodes, _ = latent.shape
    places = hashed(key("graph"), torch.arange(nodes**2, device=latent.device))
    graph = (latent.flatten(1).long() * places).sum(1)  # modulo 2^64
    radius, angle = uniform(key("signals"), graph, 2 * nodes * signals).view(n, 2, nodes, signals).unbind(1)
    return (-2 * (1 - radius).log()).sqrt() * (2 * math.pi * angle).cos()
