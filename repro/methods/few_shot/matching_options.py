"""Options of the method `matching`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, PositiveFloat, PositiveInt


class MatchingOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    needs_labels: ClassVar[bool] = True

    shots: PositiveInt = 1
    """Samples of each class of an episode that form its support set; the others are queries."""
    scale: PositiveFloat = 1.0
    """Factor on the cosines before the softmax; 1 in the paper's formula of a(x̂, x_i)."""
