"""Options of the stage `rince_limits`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, PositiveFloat, PositiveInt, StageOptions


class RinceLimitsOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = (
        "limit_error",
        "order",
        "linear_error",
        "gradient_error",
        "pull_0",
        "pull_half",
        "pull_1",
    )
    anchors: PositiveInt = 512
    """The number of anchors."""
    negatives: PositiveInt = 128
    """The negatives of each anchor."""
    dim: Annotated[int, Field(ge=2)] = 32
    """The dimension of the embeddings."""
    temperature: PositiveFloat = 0.5
    """τ, by which cosines are divided."""
    weight: PositiveFloat = 0.01
    """λ, the weight of the negatives."""
    small: PositiveFloat = 1e-4
    """The q that stands for its limit 0."""
