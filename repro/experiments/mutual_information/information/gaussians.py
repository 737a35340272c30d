"""Pairs of Gaussian vectors whose mutual information is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Gaussians:
    """Pairs in R^dim, correlated coordinate by coordinate with `rho`, of unit variance.

    With `shared` a second pair of that correlation is added (Tschannen et al. 2019, section 4); `dependent`:
    one such pair for the whole batch, so that its samples are not independent.
    """

    dim: int
    rho: float
    shared: float | None = None
    dependent: bool = False

    @property
    def correlation(self) -> float:
        return self.rho if self.shared is None else (self.rho + self.shared) / 2

    @property
    def information(self) -> float:
        """I(x; y) = −d/2 log(1 − ρ²)."""
        return -self.dim / 2 * math.log1p(-(self.correlation**2))

    def sample(self, n: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """x, y (n, d)."""
        x, y = correlated(n, self.dim, self.rho, random)
        if self.shared is None:
            return x, y
        u, v = correlated(1 if self.dependent else n, self.dim, self.shared, random)
        return x + u, y + v

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """x (n, d), y (m, d) -> log p(y|x)/p(y) (n, m)."""
        rho, variance = self.correlation, 1 if self.shared is None else 2
        squares = x.square().sum(-1)[:, None] + y.square().sum(-1)
        share = (rho * (x @ y.T) - rho**2 / 2 * squares) / (variance * (1 - rho**2))
        return share - x.shape[1] / 2 * math.log1p(-(rho**2))


def correlated(n: int, dim: int, rho: float, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """x, y (n, d), standard normal, correlated with rho coordinate by coordinate."""
    x, other = torch.randn(2, n, dim, generator=random)
    return x, rho * x + math.sqrt(1 - rho**2) * other


def correlation(information: float, dim: int) -> float:
    """The ρ ≥ 0 at which −d/2 log(1 − ρ²) is `information`."""
    return math.sqrt(-math.expm1(-2 * information / dim))
