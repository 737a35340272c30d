"""Options of the method `debiased`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, MethodOptions, PositiveFloat


class DebiasedOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    temperature: PositiveFloat = 0.5
    """τ, by which cosines are divided."""
    tau_plus: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """τ⁺, the probability that a negative is of the anchor's class; with 0 the loss is NT-Xent."""
