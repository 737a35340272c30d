"""Options of the stage `nce_ica`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Collection, Field, PositiveFloat, PositiveInt, StageOptions


class NceIcaOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"

    dim: Annotated[int, Field(ge=2)] = 4
    samples: Annotated[tuple[PositiveInt, ...], Field(min_length=2)]
    ratios: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1,)
    repeats: PositiveInt = 50
    starts: PositiveInt = 2
    condition: PositiveFloat = 10.0

    @property
    def metrics(self) -> Collection[str]:
        at_ratio = [f"{what}_nu{ratio}" for what in ("mixing", "c") for ratio in self.ratios]
        return ["b_slope", "c_slope", "mixing_ml", *at_ratio]
