"""Options of the method `npid`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, PositiveFloat, PositiveInt, Probability


class NPIDOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    temperature: PositiveFloat = 0.07
    """τ, by which cosines are divided."""
    negatives: PositiveInt | None = 4096
    """m, the rows of the bank drawn uniformly as noise; `null` for the exact softmax over the bank."""
    bank_momentum: Probability = 0.5
    """The share of itself that a row of the bank keeps when it is renewed."""
