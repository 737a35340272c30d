"""Options of the stage `dimensional_collapse`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import model_validator

from repro.options import Field, NonNegativeFloat, PositiveFloat, PositiveInt, StageOptions


class DimensionalCollapseOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    trains: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = ("low", "high", "low_max", "ratio", "decades")
    layers: Annotated[int, Field(ge=1, le=2)] = 1
    dim: PositiveInt = 16
    augmented: PositiveInt = 8
    noise: NonNegativeFloat
    clean_noise: NonNegativeFloat = 0.0
    samples: PositiveInt | None = None
    init_std: PositiveFloat = 0.3
    lr: PositiveFloat = 0.02
    steps: PositiveInt = 3000

    @model_validator(mode="after")
    def _some_directions_are_left(self) -> Any:
        if self.augmented >= self.dim:
            raise ValueError("`augmented` must be less than `dim`")
        return self
