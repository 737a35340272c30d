"""Options of the method `ressl`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, Momentum, PositiveFloat, PositiveInt


class ReSSLOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    temperature: PositiveFloat = 0.1
    """τ_s of the student's similarities."""
    teacher_temperature: PositiveFloat = 0.04
    """τ_t of the teacher's similarities, the lower one."""
    queue: PositiveInt = 131072
    """The number of samples in the queue that similarities are taken with."""
    momentum: Momentum = Momentum(start=0.999)
    """m, the EMA decay of the teacher."""
    both_views: bool | None = None
    """Whether BatchNorm and an `online` probe of the student also see the weak view; the loss is the same."""
