"""Options of the stage `self_distillation_ridge`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, PositiveFloat, PositiveInt, StageOptions


class SelfDistillationRidgeOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = ("xi", "student", "teacher", "best_teacher", "best_student", "gain")
    dim: PositiveInt = 30
    samples: PositiveInt = 60
    largest: PositiveFloat = 5.0
    smallest: PositiveFloat = 0.5
    alignment: float = 0.0
    noise: PositiveFloat = 1.0
    ridge: PositiveFloat = 1.0
    ridges: Annotated[int, Field(ge=2)] = 1201
