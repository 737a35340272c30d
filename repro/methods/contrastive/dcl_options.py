"""Options of the method `dcl`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, PositiveFloat


class DCLOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    temperature: PositiveFloat = 0.1
    weighted_sigma: PositiveFloat | None = None
    stop_weights: bool | None = None
    scale: PositiveFloat | None = None
