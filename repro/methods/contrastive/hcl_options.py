"""Options of the method `hcl`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, MethodOptions, NonNegativeFloat, PositiveFloat


class HCLOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    temperature: PositiveFloat = 0.5
    """τ, by which cosines are divided."""
    tau_plus: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """τ⁺, the probability that a negative is of the anchor's class."""
    beta: NonNegativeFloat = 1.0
    """β, how strongly negatives weigh that are like the anchor; with 0 the loss is that of `debiased`."""
