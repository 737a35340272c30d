"""Options of the method `align_uniform`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, NonNegativeFloat, PositiveFloat


class AlignUniformOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    align: NonNegativeFloat = 1.0
    """The weight of the alignment loss."""
    uniform: NonNegativeFloat = 1.0
    """The weight of the uniformity loss."""
    alpha: PositiveFloat = 2.0
    """α, the power of the distance in the alignment loss (section 4.1)."""
    t: PositiveFloat = 2.0
    """t of the Gaussian potential exp(−t ‖x − y‖²) in the uniformity loss (section 4.1)."""
