"""Options of the method `intl`."""

from __future__ import annotations

from typing import ClassVar, Literal

from repro.options import MethodOptions, NonNegativeFloat, PositiveInt


class INTLOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    axis: Literal["channel", "batch"] = "channel"
    """What is decorrelated: samples over their channels, as in the authors' code, or dimensions over the batch."""
    iterations: PositiveInt = 4
    """The iterations of Newton's method in the whitening."""
    trade_off: NonNegativeFloat = 0.05
    """β, the weight of the trace loss; the authors: 0.01 (log₂ m − 3), m batch size (`channel`) or dimension."""
