"""Options of the method `align_uniform`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, NonNegativeFloat, PositiveFloat


class AlignUniformOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    align: NonNegativeFloat = 1.0
    uniform: NonNegativeFloat = 1.0
    alpha: PositiveFloat = 2.0
    t: PositiveFloat = 2.0
