"""Options of the stage `bures_wasserstein`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, NonNegativeFloat, PositiveFloat, PositiveInt, StageOptions


class BuresWassersteinOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    trains: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = (
        "gap",
        "distance_gap",
        "angle",
        "covariance_error",
        "rate_error",
        "critical_gradient",
        "critical_error",
    )
    dim: Annotated[int, Field(ge=2)] = 10
    factors: Annotated[int, Field(ge=2)] = 2
    smoothing: NonNegativeFloat = 0.0
    scale: PositiveFloat = 0.5
    lr: PositiveFloat = 0.05
    steps: PositiveInt = 4000
