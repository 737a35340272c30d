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
    """The variance of the augmentation's noise on each feature; as many features as entries."""
    hidden: PositiveInt = 16
    """h, the width of the representation before the head."""
    out: PositiveInt = 16
    """p, the width of the head's output."""
    samples: PositiveInt | None = None
    """The pairs drawn at each step (default: the expectation of the loss)."""
    start: PositiveFloat = 0.1
    """The standard deviation of the initial weights of the first layer."""
    lr: PositiveFloat = 0.02
    """The step of gradient descent."""
    steps: PositiveInt = 5000
    """The steps of gradient descent."""
    shots: PositiveInt = 4
    """The clean samples that the downstream fit is given."""
    draws: PositiveInt = 1000
    """The downstream fits over which the squared error is averaged."""

    @model_validator(mode="after")
    def _room_for_a_balanced_start(self) -> Any:
        if self.out < min(self.hidden, len(self.noise)):
            raise ValueError("a balanced start needs as many outputs as hidden units or features")
        return self
