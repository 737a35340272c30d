"""The weighted nearest-neighbour classifier on frozen features."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from repro.engine.features import accuracy, extract, frozen
from repro.engine.method import unit
from repro.engine.stage import Context, Outcome, Stage
from repro.networks.build import trained
from repro.options import PositiveFloat, PositiveInt, StageOptions


class KNN(Stage):
    """Each of the k nearest training images (by cosine) votes for its class with weight exp(cosine / T).

    Wu et al. 2018 (arXiv 1805.01978), section 3.4; k = 200, T = 0.07 there and 0.1 in most later code.
    The features are those of the encoder, or what the head makes of them. Metrics: `top1`, `top5`, percent of the
    test split.
    """

    class Options(StageOptions):
        divides: ClassVar[bool] = True
        of: str
        k: PositiveInt = 200
        temperature: PositiveFloat = 0.1
        features: Literal["encoder", "head"] | None = None

    def run(self, ctx: Context) -> Outcome:
        train, test = ctx.data("train"), ctx.data("test")
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
    """bank (N, d) and queries (m, d) on the unit sphere, labels (N,) -> votes (m, classes)."""
    parts = []
    for some in queries.split(1024):
        cosine, nearest = (some @ bank.T).topk(min(k, len(bank)), dim=1)
        votes = torch.zeros(len(some), classes, device=bank.device)
        parts.append(votes.scatter_add_(1, labels[nearest], (cosine / temperature).exp()))
    return torch.cat(parts)
