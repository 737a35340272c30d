"""Options of the stage `simplex`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import model_validator

from repro.options import Field, PositiveFloat, PositiveInt, StageOptions


class SimplexOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = ("loss", "gap", "cosine", "cosine_mean", "spread")
    loss: Literal["supcon", "cross_entropy"]
    classes: Annotated[int, Field(ge=2)]
    points: Annotated[int, Field(ge=2)]
    dim: PositiveInt
    temperature: PositiveFloat = 1.0
    weight_norm: PositiveFloat = 1.0
    steps: PositiveInt = 10

    @model_validator(mode="after")
    def _room_for_the_simplex(self) -> Any:
        if self.dim < self.classes - 1:
            raise ValueError(f"a simplex of {self.classes} classes needs `dim` of {self.classes - 1} or more")
        return self
