"""Options of the method `intl`."""

from __future__ import annotations

from typing import ClassVar, Literal

from repro.options import MethodOptions, NonNegativeFloat, PositiveInt


class INTLOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    axis: Literal["channel", "batch"] = "channel"
    iterations: PositiveInt = 4
    trade_off: NonNegativeFloat = 0.05
