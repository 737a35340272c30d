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
    """ρ, α, β, γ: the connection of points that share class and domain, class, domain, neither (section 4)."""
    classes: Annotated[int, Field(ge=2)] = 2
    """The number of classes."""
    domains: Annotated[int, Field(ge=2)] = 2
    """The number of domains; the head is trained on the first."""
    nodes: PositiveInt | None = None
    """The points of each block, joined by random edges (default: each block is one point)."""
    steps: PositiveInt = 6
    """The rounds of up to 50 iterations of L-BFGS."""
