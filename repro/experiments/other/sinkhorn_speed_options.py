"""Options of the stage `sinkhorn_speed`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Collection, Field, PositiveFloat, PositiveInt, StageOptions


class SinkhornSpeedOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"

    bins: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    """d, the numbers of bins of the histograms."""
    strength: PositiveFloat
    """λ, the inverse strength of the entropic penalty."""
    tolerance: PositiveFloat = 0.01
    """The relative change of 1/u at which the algorithm stops."""
    repeats: PositiveInt = 5
    """The runs of the algorithm whose mean time counts."""
    at_most: PositiveInt | None = None
    """The most bins that a histogram is given, for a trial (default: no limit)."""

    @property
    def metrics(self) -> Collection[str]:
        return [f"{what}_{d}" for what in ("speedup", "iterations", "error") for d in self.bins]
