"""Options of the stage `uniform_sphere`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, StageOptions


class UniformSphereOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = ("loss", "loss_all", "above_bound", "nearest", "nearest_max")
    points: Annotated[int, Field(ge=2)]
    dim: Annotated[int, Field(ge=2)]
    t: PositiveFloat = 2.0
    shift: NonNegativeFloat = 0.0
    steps: NonNegativeInt = 0
