"""Options of the stage `projection_head`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import model_validator

from repro.options import Field, NonNegativeFloat, PositiveFloat, PositiveInt, StageOptions


class ProjectionHeadOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    trains: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = (
        "slope",
        "ratio_pre",
        "ratio_post",
        "error",
        "balance",
        "weak_pre",
        "weak_post",
        "strong_pre",
        "strong_post",
    )
    noise: Annotated[tuple[NonNegativeFloat, ...], Field(min_length=2)]
    hidden: PositiveInt = 16
    out: PositiveInt = 16
    samples: PositiveInt | None = None
    start: PositiveFloat = 0.1
    lr: PositiveFloat = 0.02
    steps: PositiveInt = 5000
    shots: PositiveInt = 4
    draws: PositiveInt = 1000

    @model_validator(mode="after")
    def _room_for_a_balanced_start(self) -> Any:
        if self.out < min(self.hidden, len(self.noise)):
            raise ValueError("a balanced start needs as many outputs as hidden units or features")
        return self
