"""Options of the method `byol`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import HeadSpec, MethodOptions, Momentum, PositiveFloat


class BYOLOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    predictor: HeadSpec | None
    momentum: Momentum = Momentum(start=0.996, end=1.0)
    scale: PositiveFloat = 1.0
