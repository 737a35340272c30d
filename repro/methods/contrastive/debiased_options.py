"""Options of the method `debiased`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, MethodOptions, PositiveFloat


class DebiasedOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    temperature: PositiveFloat = 0.5
    tau_plus: Annotated[float, Field(ge=0, lt=1)] = 0.1
