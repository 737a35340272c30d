"""Options of the stage `multitasking_threshold`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Collection, Field, PositiveInt, StageOptions


class MultitaskingThresholdOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"

    spins: PositiveInt = 1_000_000
    """N, the number of spins."""
    patterns: Annotated[tuple[Annotated[int, Field(ge=3)], ...], Field(min_length=1)] = (3, 4, 5, 6)
    """K, the numbers of patterns for which the threshold is found."""

    @property
    def metrics(self) -> Collection[str]:
        return [f"threshold_{k}" for k in self.patterns]
