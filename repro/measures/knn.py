"""The weighted nearest-neighbour classifier."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.engine.features import accuracy
from repro.engine.method import unit
from repro.measures.base import Measure, Measured
from repro.measures.knn_options import KNNOptions


class KNN(Measure):
    """Each of the k nearest training samples (by cosine) votes for its class with weight exp(cosine / T).

    A class without a vote is not among the five best, even where fewer than five have one.
    Wu et al. 2018 (arXiv 1805.01978), section 3.4. Metrics: `top1`, `top5`, percent.
    """

    Options = KNNOptions

    def __call__(self, *sets: Measured) -> dict[str, float]:
        train, test = sets
        bank, queries = unit(train.vectors), unit(test.vectors)
        o, classes = self.options, max(train.table.classes, test.table.classes)
        return accuracy(knn_votes(bank, train.labels, queries, o.k, o.temperature, classes), test.labels)


def knn_votes(
    bank: Tensor, labels: Tensor, queries: Tensor, k: int, temperature: float, classes: int
) -> Tensor:
    """bank (N, d) and queries (m, d) on the unit sphere, labels (N,) -> votes (m, classes), −∞ for none.

    The weights are those over that of the nearest sample, which no temperature lets overflow.
    """
    parts = []
    for some in queries.split(1024):
        cosine, nearest = (some @ bank.T).topk(min(k, len(bank)), dim=1)
        chosen, weights = labels[nearest], ((cosine - cosine[:, :1]) / temperature).exp()
        votes = weights.new_zeros(len(some), classes).scatter_add_(1, chosen, weights)
        voted = torch.zeros_like(votes, dtype=torch.bool).scatter_(1, chosen, True)
        parts.append(votes.masked_fill_(~voted, -torch.inf))
    return torch.cat(parts)
