"""Options of the stage `dcl_identity`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, NonNegativeFloat, PositiveFloat, PositiveInt, StageOptions


class DclIdentityOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = ("infonce_error", "dcl_error", "coupling", "loss_error")
    samples: Annotated[int, Field(ge=2)] = 64
    dim: PositiveInt = 128
    temperature: PositiveFloat = 0.1
    noise: NonNegativeFloat = 0.5
