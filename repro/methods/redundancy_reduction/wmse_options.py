"""Options of the method `wmse`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, NonNegativeFloat, PositiveInt


class WMSEOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, None)
    size: PositiveInt = 128
    """The least number of samples that are whitened together."""
    iterations: PositiveInt = 1
    """The random divisions of the batch over which the loss is averaged (batch slicing)."""
    eps: NonNegativeFloat = 0.0
    """The share of the identity in the covariance matrix."""
    stop_second: bool | None = None
    """Whether the later view of each pair gets no gradient (default: both get one)."""
