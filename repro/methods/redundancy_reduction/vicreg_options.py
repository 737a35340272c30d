"""Options of the method `vicreg`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, NonNegativeFloat


class VICRegOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    invariance: NonNegativeFloat = 25.0
    variance: NonNegativeFloat = 25.0
    covariance: NonNegativeFloat = 1.0
