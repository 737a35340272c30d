"""Options of the stage `vicreg_spectral`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import model_validator

from repro.options import Field, NonNegativeFloat, PositiveFloat, PositiveInt, StageOptions


class VicregSpectralOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = ("loss", "gap", "values_error", "angle", "error")
    points: Annotated[int, Field(ge=4)] = 80
    dim: PositiveInt = 4
    classes: PositiveInt | None = None
    wobble: NonNegativeFloat = 0.0
    inputs: PositiveInt | None = None
    invariance: PositiveFloat = 1.0
    covariance: PositiveFloat = 1.0
    steps: PositiveInt = 20

    @model_validator(mode="after")
    def _classes_fill_the_points(self) -> Any:
        if self.classes and self.points % self.classes:
            raise ValueError("`points` must be a multiple of `classes`")
        return self
