"""The dilution up to which patterns are retrieved hierarchically: Agliari et al. 2023 (arXiv 2308.04106)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from torch import Tensor

from repro.engine.keys import generator, key
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.multitasking_hopfield import beginning, diluted
from repro.options import (
    Collection,
    Field,
    PositiveInt,
    StageOptions,
)

# Of the interval from 1/2 to 1: 1 − 2d + d^K is positive at its start and negative before its end.
HALVINGS = 20


class MultitaskingThreshold(Stage):
    """Finds by bisection the largest dilution at which every spin of the hierarchical state agrees with its field.

    Metrics: `threshold_<K>`, for each number K of `patterns`.
    """

    class Options(StageOptions):
        precision: ClassVar[str | None] = "fp64"

        spins: PositiveInt = 1_000_000
        patterns: Annotated[tuple[Annotated[int, Field(ge=3)], ...], Field(min_length=1)] = (3, 4, 5, 6)

        @property
        def metrics(self) -> Collection[str]:
            return [f"threshold_{k}" for k in self.patterns]

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
