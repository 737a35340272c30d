"""Options of the stage `sinkhorn_speed`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Collection, Field, PositiveFloat, PositiveInt, StageOptions


class SinkhornSpeedOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"

    bins: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    strength: PositiveFloat
    tolerance: PositiveFloat = 0.01
    repeats: PositiveInt = 5
    at_most: PositiveInt | None = None

    @property
    def metrics(self) -> Collection[str]:
        return [f"{what}_{d}" for what in ("speedup", "iterations", "error") for d in self.bins]
