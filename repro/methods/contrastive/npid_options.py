"""Options of the method `npid`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, PositiveFloat, PositiveInt, Probability


class NPIDOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    temperature: PositiveFloat = 0.07
    negatives: PositiveInt | None = 4096
    bank_momentum: Probability = 0.5
