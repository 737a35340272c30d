"""FastSiam, Pototzky et al. 2022 (GCPR): SimSiam with a steadier target."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from repro.engine.method import Method, unit
from repro.methods.negative_free.fastsiam_options import FastSiamOptions
from repro.networks.build import build_head


class FastSiam(Method):
    """The prediction of each view meets the mean projection of all other views of the sample (four views)."""

    Options = FastSiamOptions

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.predictor = build_head(options.predictor, head.dim)

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, V, C, H, W) -> projections z and predictions p (n, V, d)."""
        z = self.project(views)
        return {"z": z, "p": self.through(z, self.predictor)}

    def loss(self, z: Tensor, p: Tensor) -> Tensor:
        """z, p (N, V, d) of the whole batch -> −cosine with the stopped target, the mean over views."""
        others = (z.sum(1, keepdim=True) - z) / (z.shape[1] - 1)
        return -(unit(p) * unit(others.detach())).sum(-1).mean()
