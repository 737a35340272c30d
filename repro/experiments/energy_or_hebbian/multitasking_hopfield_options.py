"""Options of the stage `multitasking_hopfield`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.options import Collection, Field, NonNegativeFloat, PositiveInt, Probability, StageOptions


class MultitaskingHopfieldOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"

    spins: Annotated[int, Field(ge=50)] = 100_000
    """N, the number of spins."""
    patterns: Annotated[int, Field(ge=2, le=8)] = 3
    """K, the number of patterns."""
    dilution: Probability = 0.3
    """d, the probability that an entry of a pattern is 0."""
    noise: NonNegativeFloat = 0.0
    """T, the temperature; 0 for none."""
    start: Literal["hierarchical", "first", "random"] = "hierarchical"
    """Where the spins start: in the hierarchical state, along the first pattern, or at random."""
    sweeps: Annotated[PositiveInt, Field(ge=2)] = 20
    """The updates of all spins; overlaps are averaged over the second half."""

    @property
    def metrics(self) -> Collection[str]:
        overlaps = [f"m_{k + 1}" for k in range(self.patterns)]
        return [*overlaps, "hierarchy_error", "theory_error", "spread", "moved"]
