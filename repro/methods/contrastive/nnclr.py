"""NNCLR, Dwibedi et al. 2021 (arXiv 2104.14548)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.method import Method, unit
from repro.methods.contrastive.nnclr_options import NNCLROptions
from repro.methods.parts.memory import Queue
from repro.networks.build import build_head


@torch.no_grad()
def nearest(z: Tensor, rows: Tensor) -> Tensor:
    """The paper's NN(z, Q): for each z (N, d) the nearest of the rows Q (K, d), all on the unit sphere -> (N, d)."""
    return rows[torch.cat([(some @ rows.T).argmax(1) for some in z.split(1024)])]


class NNCLR(Method):
    """The nearest neighbour of one view, from a queue of earlier projections, must find the other view's prediction.

    The queue takes the projections of view 1, as in the paper's pseudocode.
    """

    Options = NNCLROptions

    def __init__(self, options: Any, encoder: nn.Module, head: Any):
        super().__init__(options, encoder, head)
        self.predictor = build_head(options.predictor, head.dim)
        self.queue = Queue(options.queue, head.dim)

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 2, C, H, W) -> projections z and predictions p (n, 2, d), on the unit sphere."""
        z = self.project(views)
        return {"z": unit(z), "p": unit(self.through(z, self.predictor))}

    def loss(self, z: Tensor, p: Tensor) -> Tensor:
        """z, p (N, 2, d) -> L_NNCLR in nats, the mean of both directions: which prediction of the batch is mine?"""
        target = torch.arange(len(z), device=z.device)
        found = [nearest(view, self.queue.rows) for view in z.unbind(1)]
        logits = [found[0] @ p[:, 1].T, found[1] @ p[:, 0].T]
        return F.cross_entropy(torch.cat(logits) / self.options.temperature, target.repeat(2))

    def after_step(self, z: Tensor) -> None:
        self.queue.push(z[:, 0])
