"""Options of the stage `sinkhorn_limits`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import model_validator

from repro.options import Field, PositiveFloat, PositiveInt, StageOptions


class SinkhornLimitsOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = (
        "independence_gap",
        "independence_slope",
        "transport_gap",
        "bound_share",
        "falling",
        "marginal_error",
    )
    bins: Annotated[int, Field(ge=2)] = 64
    """d, the number of bins of the histograms."""
    strengths: Annotated[tuple[PositiveFloat, ...], Field(min_length=2)]
    """λ, the inverse strengths of the entropic penalty, rising."""
    tolerance: PositiveFloat = 1e-9
    """The sum of absolute errors of the marginals at which the iteration stops."""
    iterations: PositiveInt = 100_000
    """The most iterations for each λ."""

    @model_validator(mode="after")
    def _rising(self) -> Any:
        if list(self.strengths) != sorted(set(self.strengths)):
            raise ValueError("`strengths` must rise")
        return self
