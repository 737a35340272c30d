"""Options of the method `vicreg`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, NonNegativeFloat


class VICRegOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    invariance: NonNegativeFloat = 25.0
    """λ, the weight of the mean squared distance of two views (eq. 6)."""
    variance: NonNegativeFloat = 25.0
    """μ, the weight of the variance terms, summed over both views (eq. 6)."""
    covariance: NonNegativeFloat = 1.0
    """ν, the weight of the covariance terms, summed over both views (eq. 6)."""
