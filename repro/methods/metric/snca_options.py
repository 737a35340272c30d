"""Options of the method `snca`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, PositiveFloat, Probability


class SNCAOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    needs_labels: ClassVar[bool] = True

    temperature: PositiveFloat = 0.05
    """σ, by which cosines are divided."""
    bank_momentum: Probability = 0.5
    """Share that a row of the bank keeps when it is renewed."""
