"""Options of the stage `domain_graph`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, PositiveFloat, PositiveInt, Probability, StageOptions


class DomainGraphOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = (
        "gap",
        "angle",
        "eigengap",
        "source_error",
        "target_error",
        "transfer",
        "domain_error",
    )
    weights: tuple[PositiveFloat, Probability, Probability, Probability]
    classes: Annotated[int, Field(ge=2)] = 2
    domains: Annotated[int, Field(ge=2)] = 2
    nodes: PositiveInt | None = None
    steps: PositiveInt = 6
