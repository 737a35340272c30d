"""Options of SimCSE."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, PositiveFloat


class SimCSEOptions(MethodOptions):
    """Unsupervised SimCSE."""

    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)

    temperature: PositiveFloat = 0.05
    """τ of eq. 4, by which cosines are divided."""
