"""Options of the method `dino`."""

from __future__ import annotations

from typing import ClassVar, Literal

from repro.options import MethodOptions, Momentum, NonNegativeInt, PositiveFloat, PositiveInt, Probability


class DINOOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    takes_local: ClassVar[bool] = True
    prototypes: PositiveInt = 65536
    student_temperature: PositiveFloat = 0.1
    teacher_temperature: PositiveFloat = 0.04
    teacher_start: PositiveFloat | None = None
    teacher_warmup_epochs: NonNegativeInt = 0
    centre_momentum: Probability = 0.9
    momentum: Momentum = Momentum(start=0.996, end=1.0)
    freeze_epochs: NonNegativeInt = 1
    leaves: Literal["student", "teacher"] | None = None
