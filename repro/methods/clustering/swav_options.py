"""Options of the method `swav`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, NonNegativeInt, PositiveFloat, PositiveInt


class SwAVOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    takes_local: ClassVar[bool] = True
    prototypes: PositiveInt = 3000
    temperature: PositiveFloat = 0.1
    epsilon: PositiveFloat = 0.05
    iterations: PositiveInt = 3
    queue: NonNegativeInt = 0
    queue_from_epoch: NonNegativeInt = 15
    freeze_steps: NonNegativeInt = 0
    learnt_scale: bool | None = None
    bias: bool | None = None
