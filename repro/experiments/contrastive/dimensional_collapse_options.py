"""Options of the stage `dimensional_collapse`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import model_validator

from repro.options import Field, NonNegativeFloat, PositiveFloat, PositiveInt, StageOptions


class DimensionalCollapseOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    trains: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = ("low", "high", "low_max", "ratio", "decades")
    layers: Annotated[int, Field(ge=1, le=2)] = 1
    """The number of linear layers."""
    dim: PositiveInt = 16
    """The dimension of the inputs and of the embeddings."""
    augmented: PositiveInt = 8
    """The number of directions with strong augmentation."""
    noise: NonNegativeFloat
    """The variance of the augmentation in the `augmented` directions."""
    clean_noise: NonNegativeFloat = 0.0
    """The variance of the augmentation in all other directions."""
    samples: PositiveInt | None = None
    """The samples of InfoNCE, drawn at each step (default: its limit for infinitely many, in closed form)."""
    init_std: PositiveFloat = 0.3
    """The standard deviation of the initial weights."""
    lr: PositiveFloat = 0.02
    """The step of gradient descent."""
    steps: PositiveInt = 3000
    """The steps of gradient descent."""

    @model_validator(mode="after")
    def _some_directions_are_left(self) -> Any:
        if self.augmented >= self.dim:
            raise ValueError("`augmented` must be less than `dim`")
        return self
