"""Options of the method `moco_v3`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import HeadSpec, MethodOptions, Momentum, PositiveFloat


class MoCoV3Options(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    predictor: HeadSpec
    temperature: PositiveFloat = 0.2
    momentum: Momentum = Momentum(start=0.99, end=1.0)
