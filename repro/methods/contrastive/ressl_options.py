"""Options of the method `ressl`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, Momentum, PositiveFloat, PositiveInt


class ReSSLOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    temperature: PositiveFloat = 0.1
    teacher_temperature: PositiveFloat = 0.04
    queue: PositiveInt = 131072
    momentum: Momentum = Momentum(start=0.999)
    both_views: bool | None = None
