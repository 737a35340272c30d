"""Options of the method `tico`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, Momentum, NonNegativeFloat, Probability


class TiCoOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    rho: NonNegativeFloat = 8.0
    beta: Probability = 0.9
    momentum: Momentum = Momentum(start=0.99, end=1.0)
    stop_covariance: bool | None = None
