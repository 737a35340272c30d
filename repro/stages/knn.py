"""The weighted nearest-neighbour classifier on frozen features."""

from __future__ import annotations

from typing import Any

from torch import nn

from repro.engine.features import accuracy, extract, frozen, labelled
from repro.engine.method import unit
from repro.engine.stage import Context, Outcome, Stage
from repro.measures.knn import knn_votes
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
