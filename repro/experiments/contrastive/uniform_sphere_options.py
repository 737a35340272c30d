"""Options of the stage `uniform_sphere`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, StageOptions


class UniformSphereOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = ("loss", "loss_all", "above_bound", "nearest", "nearest_max")
    points: Annotated[int, Field(ge=2)]
    """n, the number of points."""
    dim: Annotated[int, Field(ge=2)]
    """d, the dimension of the space."""
    t: PositiveFloat = 2.0
    """t of the Gaussian potential exp(−t ‖x − y‖²)."""
    shift: NonNegativeFloat = 0.0
    """κ, the mean along e₁ of the Gaussian vectors whose directions are drawn; 0 for uniform ones."""
    steps: NonNegativeInt = 0
    """The rounds of up to 50 iterations of L-BFGS; 0 measures the draws as they are."""
