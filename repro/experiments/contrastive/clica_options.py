"""Options of the stage `clica`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, PositiveFloat, PositiveInt, StageOptions


class ClicaOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    trains: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = ("r2", "raw_r2")
    dim: Annotated[int, Field(ge=2)] = 10
    spread: PositiveFloat = 1.0
    temperature: PositiveFloat = 1.0
    layers: PositiveInt = 3
    draws: PositiveInt = 25_000
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (100, 500, 500, 500, 500, 100)
    steps: PositiveInt = 300_003
    samples: Annotated[int, Field(ge=2)] = 6144
    lr: PositiveFloat = 1e-4
