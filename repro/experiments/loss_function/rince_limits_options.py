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
    negatives: PositiveInt = 128
    dim: Annotated[int, Field(ge=2)] = 32
    temperature: PositiveFloat = 0.5
    weight: PositiveFloat = 0.01
    small: PositiveFloat = 1e-4
