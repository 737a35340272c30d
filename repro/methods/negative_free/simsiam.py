"""SimSiam, Chen and He 2021 (arXiv 2011.10566)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from repro.engine.method import Method, unit
from repro.methods.negative_free.simsiam_options import SimSiamOptions
from repro.networks.build import build_head


class SimSiam(Method):
    """The prediction of one view meets the projection of the other, through which no gradient flows.

    Without `predictor` or without `stop_gradient` the method collapses; these are there to show it.
    """

    Options = SimSiamOptions

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.predictor = build_head(options.predictor, head.dim) if options.predictor else nn.Identity()

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, C, H, W) -> predictions p and projections z (n, 2, d), on the unit sphere."""
        z = self.project(views)
        return {"p": unit(self.through(z, self.predictor)), "z": unit(z)}

    def loss(self, p: Tensor, z: Tensor) -> Tensor:
        """p, z (N, 2, d) -> eq. 4: minus the mean of both cosines (eq. 1 and 2), from −1 to 1."""
        target = z.detach() if self.options.stop_gradient else z
        return -(p * target.flip(1)).sum(-1).mean()

    def constant_rates(self) -> Iterable[nn.Module]:
        return [self.predictor] if self.options.constant_predictor_rate else []
