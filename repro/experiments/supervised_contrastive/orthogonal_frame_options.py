"""Options of the stage `orthogonal_frame`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import model_validator

from repro.options import Field, PositiveFloat, PositiveInt, StageOptions


class OrthogonalFrameOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = (
        "loss",
        "gap",
        "frame",
        "spread",
        "cosine_first",
        "cosine_last",
        "cosine_mixed",
        "cosine_min",
        "cosine_max",
    )
    sizes: Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=2)]
    """The number of features of each class."""
    dim: PositiveInt = 16
    """d, the dimension of the features."""
    temperature: PositiveFloat = 1.0
    """τ, by which cosines are divided."""
    relu: bool = True
    """Whether features are made non-negative before they are normalised."""
    batches: Literal["one", "pairs", "bound"] = "one"
    """One batch, batches of two classes each, or these with a feature of each class in all (batch-binding)."""
    steps: PositiveInt = 10
    """The rounds of up to 50 iterations of L-BFGS."""

    @model_validator(mode="after")
    def _room_for_the_frame(self) -> Any:
        if self.dim < len(self.sizes):
            raise ValueError(f"orthogonal means of {len(self.sizes)} classes need as many dimensions")
        return self
