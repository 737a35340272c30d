"""Whether the edges of graphs are found."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.data.random_graphs import pairs
from repro.measures.base import Measure, Measured
from repro.measures.edges_options import EdgesOptions


class Edges(Measure):
    """Scores (n, N · N) of the pairs of nodes of graphs, which are images of adjacency matrices, bright for an edge.

    A pair has an edge where its score is above the threshold with the least error on the validation split. Metrics:
    `error`, percent of the pairs; `f1`, percent, the mean over the graphs; `threshold`.
    """

    Options = EdgesOptions

    def __call__(self, *sets: Measured) -> dict[str, float]:
        (known, truth), (scores, edges) = map(scored, sets)
        tried = torch.linspace(known.min().item(), known.max().item(), self.options.thresholds).to(known)
        errors = torch.stack([((known > one) != truth).double().mean() for one in tried])
        threshold = tried[errors.argmin()]
        found = scores > threshold
        hits = 2 * (found & edges).sum(1) / (found.sum(1) + edges.sum(1)).clamp(min=1)
        return {
            "error": 100 * (found != edges).double().mean().item(),
            "f1": 100 * hits.double().mean().item(),
            "threshold": threshold.item(),
        }


def scored(measured: Measured) -> tuple[Tensor, Tensor]:
    """Of all pairs (n, N (N − 1) / 2): scores, and whether there is an edge."""
    image = measured.values("image")[:, 0].to(measured.features.device)
    return pairs(measured.vectors.view(image.shape)), pairs(image) > 127
