"""Options of the stage `simplex`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import model_validator

from repro.options import Field, PositiveFloat, PositiveInt, StageOptions


class SimplexOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = ("loss", "gap", "cosine", "cosine_mean", "spread")
    loss: Literal["supcon", "cross_entropy"]
    """The loss that is minimised."""
    classes: Annotated[int, Field(ge=2)]
    """K, the number of classes."""
    points: Annotated[int, Field(ge=2)]
    """n, the embeddings of each class."""
    dim: PositiveInt
    """The dimension of the embeddings."""
    temperature: PositiveFloat = 1.0
    """τ, by which cosines are divided in the supervised contrastive loss."""
    weight_norm: PositiveFloat = 1.0
    """The largest Frobenius norm of the classifier under cross-entropy."""
    steps: PositiveInt = 10
    """The rounds of up to 50 iterations of L-BFGS."""

    @model_validator(mode="after")
    def _room_for_the_simplex(self) -> Any:
        if self.dim < self.classes - 1:
            raise ValueError(f"a simplex of {self.classes} classes needs `dim` of {self.classes - 1} or more")
        return self
