"""W-MSE, Ermolov et al. 2021 (arXiv 2007.06346)."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from repro.engine.method import Method, unit
from repro.errors import UserError
from repro.options import MethodOptions, NonNegativeFloat, PositiveInt


class WMSE(Method):
    """Views agree after whitening, which alone prevents the collapse.

    The batch is cut at random into parts of `size` samples (of more, where it is no multiple), and each part of
    each view is whitened on its own; the loss is averaged over `iterations` such divisions (batch slicing). `eps` is
    the share of the identity in the covariance. With `stop_second` the later view of each pair gets no gradient.
    """

    class Options(MethodOptions):
        size: PositiveInt = 128
        iterations: PositiveInt = 1
        eps: NonNegativeFloat = 0.0
        stop_second: bool | None = None

    @classmethod
    def smoke(cls, options: Any) -> Any:
        """With some of the identity in the covariance: a smoke run has fewer samples than dimensions."""
        return options.model_copy(update={"eps": max(options.eps, 0.1)})

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, V, C, H, W) -> z (n, V, d), two views or more."""
        return {"z": self.project(views)}

    def loss(self, z: Tensor) -> Tensor:
        """z (N, V, d) of the whole batch -> 2 − 2 cosine of whitened views, the mean over samples and pairs of views.

        Computed in float64. Raises UserError when a part has too few samples to be whitened.
        """
        o, (samples, views, dim) = self.options, z.shape
        count = max(1, samples // o.size)
        if samples // count <= dim and o.eps == 0:
            raise UserError(
                f"W-MSE cannot whiten {samples // count} samples of {dim} dimensions: it needs more samples than "
                "dimensions. Use a larger `batch: size` and `method: size`, `drop_last: true` if it is the last "
                "batch of an epoch, a head with fewer outputs, or `eps` above 0."
            )
        distances = []
        for _ in range(o.iterations):
            for part in torch.randperm(samples).to(z.device).tensor_split(count):
                w = [unit(whiten(z[part, v].double(), o.eps)) for v in range(views)]
                pairs = [(a, b.detach() if o.stop_second else b) for a, b in combinations(w, 2)]
                distances += [(2 - 2 * (a * b).sum(-1)).sum() for a, b in pairs]
        summands = o.iterations * samples * views * (views - 1) // 2
        return (torch.stack(distances).sum() / summands).to(z.dtype)


def whiten(x: Tensor, eps: float = 0.0) -> Tensor:
    """x (n, d) -> centred, with covariance I (over n − 1), by the Cholesky factor of the covariance (section 3)."""
    centred = x - x.mean(0)
    covariance = centred.T @ centred / (len(x) - 1)
    identity = torch.eye(x.shape[1], device=x.device, dtype=x.dtype)
    factor = torch.linalg.cholesky((1 - eps) * covariance + eps * identity)
    return torch.linalg.solve_triangular(factor, centred.T, upper=False).T
