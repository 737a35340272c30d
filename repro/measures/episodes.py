"""Classification in episodes of few samples."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from repro.data.samplers.episodes import Episodes as Sampler
from repro.data.samplers.episodes_options import EpisodesOptions as SamplerOptions
from repro.engine.method import exact, unit
from repro.keys import key as key_of
from repro.measures.base import Measure, Measured
from repro.measures.episodes_options import EpisodesOptions
from repro.measures.retrieval import nearness

ROWS = 50  # episodes at a time


class Episodes(Measure):
    """Draws episodes from the evaluated split and classifies their queries by their support samples.

    By the nearest class mean of the support features: Snell et al. 2017 (arXiv 1703.05175), eq. 1 and 2, by squared
    euclidean distance. By attention: Σ exp(s · cosine) over the supports of each class, Vinyals et al. 2016 (arXiv
    1606.04080), eq. 1, where s is 1. Metrics, percent: `accuracy`, the mean over the episodes, and `interval`, half
    of its 95 % interval (1.96 standard errors). The episodes are the same in all stages of a run.
    """

    Options = EpisodesOptions

    def __call__(self, *sets: Measured) -> dict[str, float]:
        o, test = self.options, sets[-1]
        drawing = SamplerOptions(name="episodes", way=o.way, shots=o.shots, queries=o.queries)
        sampler = Sampler(drawing, test.table, ROWS, key_of(test.key, "episodes"))
        features, steps = exact(test.vectors), math.ceil(o.count / ROWS)
        parts = [self._right(features[sampler.index(s).to(features.device)]) for s in range(steps)]
        shares = 100 * torch.cat(parts)[: o.count]
        error = shares.std().item() / math.sqrt(o.count) if o.count > 1 else 0.0
        return {"accuracy": shares.mean().item(), "interval": 1.96 * error}

    def _right(self, x: Tensor) -> Tensor:
        """x (m, way, shots + queries, d) -> (m,) float64: the share of the queries that is classified rightly."""
        support, query = x[:, :, : self.options.shots], x[:, :, self.options.shots :].flatten(1, 2)
        chosen = self._scores(support, query).argmax(2)
        truth = torch.arange(self.options.way, device=x.device).repeat_interleave(self.options.queries)
        return (chosen == truth).double().mean(1)

    def _scores(self, support: Tensor, query: Tensor) -> Tensor:
        """support (m, way, shots, d), query (m, q, d) -> (m, q, way), larger for more likely classes."""
        if self.options.distance == "euclidean":
            return nearness(query, support.mean(2), "euclidean")
        if self.options.distance == "cosine":
            return nearness(unit(query), unit(support.mean(2)), "cosine")
        cosine = nearness(unit(query), unit(support.flatten(1, 2)), "cosine")
        return (self.options.scale * cosine).unflatten(2, support.shape[1:3]).logsumexp(3)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"way": min(options.way, 2), "shots": 1, "queries": 1, "count": 10})
