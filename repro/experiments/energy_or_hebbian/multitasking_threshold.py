"""The dilution up to which patterns are retrieved hierarchically: Agliari et al. 2023 (arXiv 2308.04106)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.energy_or_hebbian.multitasking_hopfield import beginning, diluted
from repro.experiments.energy_or_hebbian.multitasking_threshold_options import MultitaskingThresholdOptions
from repro.keys import generator, key

# Of the interval from 1/2 to 1: 1 − 2d + d^K is positive at its start and negative before its end.
HALVINGS = 20


class MultitaskingThreshold(Stage):
    """Finds by bisection the largest dilution at which every spin of the hierarchical state agrees with its field.

    Metrics: `threshold_<K>`, for each number K of `patterns`.
    """

    Options = MultitaskingThresholdOptions

    def run(self, ctx: Context) -> Outcome:
        metrics: dict[str, float] = {}
        for k in self.options.patterns:
            low, high = 0.5, 1.0
            for _ in range(HALVINGS):
                dilution = (low + high) / 2
                random = generator(key(ctx.seed, ctx.stage, k))
                patterns = diluted(k, self.options.spins, dilution, random).to(ctx.device)
                stays = stable(patterns, beginning(patterns.cpu(), "hierarchical", random).to(ctx.device))
                low, high = (dilution, high) if stays else (low, dilution)
            metrics[f"threshold_{k}"] = (low + high) / 2
        return Outcome(metrics)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"spins": 1000})


def stable(patterns: Tensor, spins: Tensor) -> bool:
    """Whether no spin (N,) that a pattern (K, N) holds is against its field."""
    field = (patterns @ spins / len(spins)) @ patterns - patterns.square().sum(0) * spins / len(spins)
    return bool((field * spins >= 0).all())
