"""The weighted nearest-neighbour classifier on frozen features."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.features import accuracy, extract, frozen, labelled
from repro.engine.method import unit
from repro.engine.stage import Context, Outcome, Stage
from repro.networks.build import trained
from repro.stages.knn_options import KNNOptions


class KNN(Stage):
    """Each of the k nearest training images (by cosine) votes for its class with weight exp(cosine / T).

    A class without a vote is not among the five best, even where fewer than five have one.

    Wu et al. 2018 (arXiv 1805.01978), section 3.4; k = 200, T = 0.07 there and 0.1 in most later code.
    The features are those of the encoder, or what the head makes of them. Metrics: `top1`, `top5`, percent of the
    test split.
    """

    Options = KNNOptions

    def run(self, ctx: Context) -> Outcome:
        train, test = labelled(ctx, "train"), labelled(ctx, "test")
        encoder, head = trained(ctx, self.options.of, train)
        network = nn.Sequential(encoder, head).eval() if self.options.features == "head" else encoder
        stage: Any = ctx.recipe.stages[self.options.of]
        with frozen(network):
            bank, queries = (unit(extract(ctx, network, d, stage.views)) for d in (train, test))
        labels = train.labels.to(ctx.device)
        votes = knn_votes(bank, labels, queries, self.options.k, self.options.temperature, train.classes)
        return Outcome(accuracy(votes.cpu(), test.labels))


def knn_votes(
    bank: Tensor, labels: Tensor, queries: Tensor, k: int, temperature: float, classes: int
) -> Tensor:
    """bank (N, d) and queries (m, d) on the unit sphere, labels (N,) -> votes (m, classes), −∞ for none.

    The weights are those over that of the nearest image, which no temperature lets overflow.
    """
    parts = []
    for some in queries.split(1024):
        cosine, nearest = (some @ bank.T).topk(min(k, len(bank)), dim=1)
        chosen, weights = labels[nearest], ((cosine - cosine[:, :1]) / temperature).exp()
        votes = weights.new_zeros(len(some), classes).scatter_add_(1, chosen, weights)
        voted = torch.zeros_like(votes, dtype=torch.bool).scatter_(1, chosen, True)
        parts.append(votes.masked_fill_(~voted, -torch.inf))
    return torch.cat(parts)
