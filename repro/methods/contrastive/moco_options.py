"""Options of the method `moco`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, Momentum, PositiveFloat, PositiveInt


class MoCoOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    temperature: PositiveFloat = 0.2
    queue: PositiveInt = 65536
    momentum: Momentum = Momentum(start=0.999)
    symmetric: bool = False
    second_sees_first: bool | None = None
    scale: PositiveFloat | None = None
    shuffle: bool | None = None
