"""Options of the stage `augmentation_graph`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import model_validator

from repro.options import Field, NonNegativeFloat, PositiveInt, Probability, StageOptions


class AugmentationGraphOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = ("loss", "gap", "angle", "residual", "bound", "error")
    classes: Annotated[int, Field(ge=2)] = 4
    ring: Annotated[int, Field(ge=3)] = 15
    mix: Probability = 0.1
    noise: NonNegativeFloat = 0.0
    k: PositiveInt
    steps: PositiveInt = 20

    @model_validator(mode="after")
    def _fewer_features_than_points(self) -> Any:
        if self.k >= self.classes * self.ring:
            raise ValueError("`k` must be less than the number of points, `classes` times `ring`")
        return self
