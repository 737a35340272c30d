"""Options of the stage `bures_wasserstein`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, NonNegativeFloat, PositiveFloat, PositiveInt, StageOptions


class BuresWassersteinOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    trains: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = (
        "gap",
        "distance_gap",
        "angle",
        "covariance_error",
        "rate_error",
        "critical_gradient",
        "critical_error",
    )
    dim: Annotated[int, Field(ge=2)] = 10
    """n, the dimension of the covariance."""
    factors: Annotated[int, Field(ge=2)] = 2
    """N, the number of linear layers."""
    smoothing: NonNegativeFloat = 0.0
    """τ, which is added to the squared singular values in the loss."""
    scale: PositiveFloat = 0.5
    """The singular values of the initial product of the layers."""
    lr: PositiveFloat = 0.05
    """The step of gradient descent."""
    steps: PositiveInt = 4000
    """The steps of gradient descent."""
