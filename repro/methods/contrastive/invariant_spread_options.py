"""Options of the method `invariant_spread`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, PositiveFloat


class InvariantSpreadOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    temperature: PositiveFloat = 0.1
    """τ, by which cosines are divided."""
