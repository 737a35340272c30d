"""Options of the method `massive_noise`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, NonNegativeInt


class MassiveNoiseOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    needs_labels: ClassVar[bool] = True
    alpha: NonNegativeInt
    """Copies of every image with a random label, beside the one with its own, α."""
