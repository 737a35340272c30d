"""Options of the stage `stepwise_barlow`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import model_validator

from repro.options import Collection, Field, PositiveFloat, PositiveInt, StageOptions


class StepwiseBarlowOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    trains: ClassVar[bool] = True
    spectrum: Annotated[tuple[PositiveFloat, ...], Field(min_length=2)]
    """The eigenvalues of Γ, the cross-correlation of the views, falling."""
    dim: Annotated[int, Field(ge=2)]
    """d, the dimension of the embeddings."""
    start: Literal["aligned", "random"] = "aligned"
    """Whether the weights start along the first eigenvectors of Γ or at random."""
    scale: PositiveFloat = 1e-3
    """The size of the initial weights."""
    lr: PositiveFloat = 0.005
    """The step of gradient descent."""
    steps: PositiveInt = 10000
    """The steps of gradient descent."""

    @model_validator(mode="after")
    def _enough_eigenvalues(self) -> Any:
        if self.dim > len(self.spectrum):
            raise ValueError("`dim` must not be more than the number of eigenvalues, those of `spectrum`")
        return self

    @property
    def metrics(self) -> Collection[str]:
        errors = ("time_error", "naive_error", "plateau_error", "trajectory_error", "embedding_error")
        return [*(f"time_{j + 1}" for j in range(self.dim)), "loss", *errors]
