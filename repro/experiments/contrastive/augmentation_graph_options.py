"""Options of the stage `augmentation_graph`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import model_validator

from repro.options import Field, NonNegativeFloat, PositiveInt, Probability, StageOptions


class AugmentationGraphOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = ("loss", "gap", "angle", "residual", "bound", "error")
    classes: Annotated[int, Field(ge=2)] = 4
    """The number of rings."""
    ring: Annotated[int, Field(ge=3)] = 15
    """The number of points on each ring."""
    mix: Probability = 0.1
    """The probability that an augmentation moves a point anywhere."""
    noise: NonNegativeFloat = 0.0
    """The scale of the log-normal factors on the probabilities; 0 for none."""
    k: PositiveInt
    """k, the number of features of each point."""
    steps: PositiveInt = 20
    """The rounds of up to 50 iterations of L-BFGS."""

    @model_validator(mode="after")
    def _fewer_features_than_points(self) -> Any:
        if self.k >= self.classes * self.ring:
            raise ValueError("`k` must be less than the number of points, `classes` times `ring`")
        return self
