"""Options of the stage `multitasking_hopfield`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.options import Collection, Field, NonNegativeFloat, PositiveInt, Probability, StageOptions


class MultitaskingHopfieldOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"

    spins: Annotated[int, Field(ge=50)] = 100_000
    patterns: Annotated[int, Field(ge=2, le=8)] = 3
    dilution: Probability = 0.3
    noise: NonNegativeFloat = 0.0
    start: Literal["hierarchical", "first", "random"] = "hierarchical"
    sweeps: Annotated[PositiveInt, Field(ge=2)] = 20

    @property
    def metrics(self) -> Collection[str]:
        overlaps = [f"m_{k + 1}" for k in range(self.patterns)]
        return [*overlaps, "hierarchy_error", "theory_error", "spread", "moved"]
