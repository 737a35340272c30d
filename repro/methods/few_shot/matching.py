"""Matching networks, Vinyals et al. 2016 (arXiv 1606.04080), section 2.1, without full context embeddings."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.engine.method import Method, unit
from repro.methods.few_shot.matching_options import MatchingOptions


def matching_scores(query: Tensor, support: Tensor, scale: float) -> Tensor:
    """log Σ exp(scale · cosine) over the support samples of each class: softmax over classes gives eq. 1.

    query (…, m, d), support (…, classes, shots, d) -> (…, m, classes).
    """
    cosine = torch.einsum("...md,...csd->...mcs", unit(query), unit(support))
    return (scale * cosine).logsumexp(-1)


class Matching(Method):
    """A query's label is the attention-weighted mean of the support's labels; a row is one episode.

    The attention is a softmax over cosines (section 2.1.1), and the embeddings f and g are one network. With features
    that are not negative, cosines lie in 0..1, so that with scale s no probability of `way` classes exceeds
    e^s / (e^s + way − 1): the formula's own scale of 1 leaves at most 0.13 to the right one of 20 classes.
    """

    Options = MatchingOptions

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, way, shots + queries, 1, C, H, W) of n episodes -> z (n, way, shots + queries, d)."""
        return {"z": self.project(views.flatten(0, 2))[:, 0].unflatten(0, views.shape[:3])}

    def loss(self, z: Tensor) -> dict[str, Tensor]:
        """z (N, way, shots + queries, d) -> nats per query, and the share of queries that are classified rightly."""
        way, shots = z.shape[1], self.options.shots
        support, query = z[:, :, :shots], z[:, :, shots:]
        scores = matching_scores(query.flatten(1, 2), support, self.options.scale)
        own = torch.arange(way, device=z.device).repeat_interleave(query.shape[2]).expand(len(z), -1)
        accuracy = (scores.argmax(-1) == own).to(z.dtype).mean()
        return {"loss": F.cross_entropy(scores.flatten(0, 1), own.flatten()), "accuracy": accuracy}

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"shots": 1})
