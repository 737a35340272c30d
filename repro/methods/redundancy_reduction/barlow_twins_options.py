"""Options of the method `barlow_twins`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, PositiveFloat


class BarlowTwinsOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    off_diagonal: PositiveFloat = 0.005
    """λ, the weight of the off-diagonal terms, the redundancy reduction (eq. 1)."""
    scale: PositiveFloat = 1.0
    """A factor on the loss, `--scale-loss` in the authors' code."""
