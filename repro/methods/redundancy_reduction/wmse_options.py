"""Options of the method `wmse`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, NonNegativeFloat, PositiveInt


class WMSEOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, None)
    size: PositiveInt = 128
    iterations: PositiveInt = 1
    eps: NonNegativeFloat = 0.0
    stop_second: bool | None = None
