"""VICReg, Bardes et al. 2022 (arXiv 2105.04906)."""

from __future__ import annotations

from torch import Tensor

from repro.engine.method import Method
from repro.methods.redundancy_reduction.vicreg_options import VICRegOptions


class VICReg(Method):
    """Views agree (invariance), every dimension varies (variance), and dimensions do not covary (covariance).

    The authors' code takes the mean of the two views' variance terms, which is half this `variance`.
    """

    Options = VICRegOptions

    least = 2  # variances over the batch

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, C, H, W) -> z (n, 2, d)."""
        return {"z": self.project(views)}

    def loss(self, z: Tensor) -> Tensor:
        """z (N, 2, d) of the whole batch -> eq. 6.

        The invariance term is the mean of the squared differences over samples and dimensions, as in the paper's
        Algorithm 1 and the authors' code; eq. 5 sums over the dimensions.
        """
        o, (a, b) = self.options, z.unbind(1)
        invariance = (a - b).square().mean()
        v, c = variance(a) + variance(b), covariance(a) + covariance(b)
        return o.invariance * invariance + o.variance * v + o.covariance * c


def variance(z: Tensor) -> Tensor:
    """z (N, d) -> how far the deviations (over N − 1) fall short of 1, the mean over the dimensions (eq. 1 and 2)."""
    return (1 - (z.var(0) + 1e-4).sqrt()).relu().mean()


def covariance(z: Tensor) -> Tensor:
    """z (N, d) -> the squared covariances of different dimensions, summed, over d (eq. 3 and 4)."""
    centred = z - z.mean(0)
    c = centred.T @ centred / (len(z) - 1)
    return (c.square().sum() - c.diagonal().square().sum()) / len(c)
