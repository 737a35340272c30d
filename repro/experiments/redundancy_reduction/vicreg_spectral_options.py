"""Options of the stage `vicreg_spectral`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import model_validator

from repro.options import Field, NonNegativeFloat, PositiveFloat, PositiveInt, StageOptions


class VicregSpectralOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = ("loss", "gap", "values_error", "angle", "error")
    points: Annotated[int, Field(ge=4)] = 80
    """N, the number of points."""
    dim: PositiveInt = 4
    """The dimension of the embeddings."""
    classes: PositiveInt | None = None
    """The number of classes that the points are divided into (default: a ring of points)."""
    wobble: NonNegativeFloat = 0.0
    """The scale of the log-normal factors on the weights of the edges; 0 for none."""
    inputs: PositiveInt | None = None
    """The dimension of the Gaussian inputs of a linear network (default: free embeddings)."""
    invariance: PositiveFloat = 1.0
    """g, the weight of the invariance term."""
    covariance: PositiveFloat = 1.0
    """a, the weight of the variance and covariance terms."""
    steps: PositiveInt = 20
    """The rounds of up to 50 iterations of L-BFGS."""

    @model_validator(mode="after")
    def _classes_fill_the_points(self) -> Any:
        if self.classes and self.points % self.classes:
            raise ValueError("`points` must be a multiple of `classes`")
        return self
