"""Options of the stage `self_distillation_ridge`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, PositiveFloat, PositiveInt, StageOptions


class SelfDistillationRidgeOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = ("xi", "student", "teacher", "best_teacher", "best_student", "gain")
    dim: PositiveInt = 30
    """d, the number of parameters."""
    samples: PositiveInt = 60
    """n, the number of samples."""
    largest: PositiveFloat = 5.0
    """The largest singular value of X."""
    smallest: PositiveFloat = 0.5
    """The smallest singular value of X."""
    alignment: float = 0.0
    """The power of a singular value to which the coefficient of θ on its vector is proportional."""
    noise: PositiveFloat = 1.0
    """The standard deviation of the noise of the labels."""
    ridge: PositiveFloat = 1.0
    """The ridge at which teacher and best student are compared."""
    ridges: Annotated[int, Field(ge=2)] = 1201
    """The number of ridges in the grid that the best are sought on."""
