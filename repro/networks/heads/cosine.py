"""Classification by the nearest of learnt prototypes."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from repro.networks.heads.cosine_options import CosineOptions


class Cosine(nn.Module):
    """features (n, dim) -> the cosine with the prototype of each class (n, classes).

    `scores` leaves the features as long as they are.
    """

    Options = CosineOptions

    def __init__(self, options: Any, dim: int, classes: int):
        super().__init__()
        self.dim = classes
        self.prototypes = nn.Linear(dim, classes, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        return self.scores(F.normalize(features, dim=-1))

    def scores(self, features: Tensor) -> Tensor:
        """features (…, dim) -> their length along each prototype (…, classes)."""
        return features @ F.normalize(self.prototypes.weight, dim=1).T
