"""Invariant and spreading instance features, Ye et al. 2019 (arXiv 1904.03436)."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.engine.method import Method, unit
from repro.methods.contrastive.invariant_spread_options import InvariantSpreadOptions


class InvariantSpread(Method):
    """An augmented image must be recognised as its image, and no image as another one of the batch.

    View 1 plays the image x, which the authors' code augments too, and view 2 the augmentation x̂. The loss is
    the paper's; the code differs: each view plays both parts, the sums leave out the view itself, and one
    factor of each scalar product gets no gradient.
    """

    Options = InvariantSpreadOptions

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, C, H, W) -> f (n, 2, d) on the unit sphere."""
        return {"f": unit(self.project(views))}

    def loss(self, f: Tensor) -> Tensor:
        """f (N, 2, d) of the whole batch -> the paper's loss, in nats per sample.

        −log P(i|x̂ᵢ) − Σ_{j≠i} log(1 − P(i|xⱼ)), with the softmax over the N images.
        P(i|xⱼ) is at most one half, as xⱼ itself is among the images.
        """
        image, augmented = f.unbind(1)
        itself = torch.eye(len(f), dtype=torch.bool, device=f.device)
        found = (augmented @ image.T / self.options.temperature).log_softmax(1)
        mistaken = (image @ image.T / self.options.temperature).log_softmax(1).masked_fill(itself, -torch.inf)
        return -(found.diagonal() + torch.log1p(-mistaken.exp()).sum(1)).mean()
