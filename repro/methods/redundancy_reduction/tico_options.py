"""Options of the method `tico`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, Momentum, NonNegativeFloat, Probability


class TiCoOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    rho: NonNegativeFloat = 8.0
    """ρ, the weight of the contrast with the covariance."""
    beta: Probability = 0.9
    """β, the EMA decay of the covariance matrix."""
    momentum: Momentum = Momentum(start=0.99, end=1.0)
    """The EMA decay of the momentum encoder."""
    stop_covariance: bool | None = None
    """Whether this batch's part of the covariance gets no gradient (default: it gets one)."""
