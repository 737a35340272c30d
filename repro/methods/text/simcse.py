"""SimCSE, Gao et al. 2021 (arXiv 2104.08821)."""

from __future__ import annotations

from torch import Tensor

from repro.engine.method import Method, info_nce, unit
from repro.methods.text.simcse_options import SimCSEOptions


class SimCSE(Method):
    """A sentence passes twice through the encoder; dropout alone tells the two passes apart, and they are to meet.

    The views are the same tokens twice. The head is used in training only.
    """

    Options = SimCSEOptions

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, L) -> z (n, 2, d) on the unit sphere."""
        return {"z": unit(self.project(views))}

    def loss(self, z: Tensor) -> Tensor:
        """z (N, 2, d) of the whole batch -> eq. 4, in nats: which of N second passes is that of my sentence?"""
        return info_nce(z[:, 0] @ z[:, 1].T / self.options.temperature)
