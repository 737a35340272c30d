"""Options of the method `relational`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, NonNegativeFloat, PositiveInt


class RelationalOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, None)

    hidden: PositiveInt = 256
    """Units of the relation head."""
    focusing: NonNegativeFloat = 0.0
    """γ of the focal factor (1 − p)^γ on a pair's loss; 0 in the authors' notebook, 2 in their full code."""
