"""Options of the method `simsiam`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import HeadSpec, MethodOptions


class SimSiamOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    predictor: HeadSpec | None
    stop_gradient: bool = True
    constant_predictor_rate: bool = False
