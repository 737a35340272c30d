"""Options of the method `dec`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, PositiveInt


class DECOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    interval: PositiveInt
    """Steps from one computation of the target distribution to the next."""
    starts: PositiveInt = 20
    """Runs of k-means of which the best gives the first centres."""
