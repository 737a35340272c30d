"""W-MSE, Ermolov et al. 2021 (arXiv 2007.06346)."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.method import Method, unit
from repro.errors import UserError
from repro.methods.parts.whitening import whiten
from repro.methods.redundancy_reduction.wmse_options import WMSEOptions


class WMSE(Method):
    """Views agree after whitening, which alone prevents the collapse.

    The batch is cut at random into parts of `size` samples (of more, where it is no multiple), and each part of
    each view is whitened on its own; the loss is averaged over `iterations` such divisions (batch slicing).
    """

    Options = WMSEOptions

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.dim = head.dim
        self.least = 2 if options.eps > 0 else head.dim + 1

    @classmethod
    def smoke(cls, options: Any) -> Any:
        """With some of the identity in the covariance: a smoke run has fewer samples than dimensions."""
        return options.model_copy(update={"eps": max(options.eps, 0.1)})

    def check(self, samples: int) -> None:
        """Raises UserError when a part of a batch has too few samples to be whitened: more than dimensions."""
        smallest = samples // self._parts(samples)
        if smallest < self.least:
            raise UserError(
                f"W-MSE cannot whiten {smallest} samples of {self.dim} dimensions: it needs more samples than "
                "dimensions. Use a larger `batch: size` and `method: size`, `drop_last: true` if it is the last "
                "batch of an epoch, a head with fewer outputs, or `eps` above 0."
            )

    def _parts(self, samples: int) -> int:
        return max(1, samples // self.options.size)

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, V, C, H, W) -> z (n, V, d), two views or more."""
        return {"z": self.project(views)}

    def loss(self, z: Tensor) -> Tensor:
        """z (N, V, d) of the whole batch -> 2 − 2 cosine of whitened views, the mean over samples and pairs of views.

        Computed in float64.
        """
        o, (samples, views, _) = self.options, z.shape
        distances = []
        for _ in range(o.iterations):
            for part in torch.randperm(samples).to(z.device).tensor_split(self._parts(samples)):
                w = [unit(whiten(z[part, v].double(), o.eps)) for v in range(views)]
                pairs = [(a, b.detach() if o.stop_second else b) for a, b in combinations(w, 2)]
                distances += [(2 - 2 * (a * b).sum(-1)).sum() for a, b in pairs]
        summands = o.iterations * samples * views * (views - 1) // 2
        return (torch.stack(distances).sum() / summands).to(z.dtype)
