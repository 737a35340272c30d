"""Options of the method `npair`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, NonNegativeFloat, PositiveInt


class NPairOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    needs_labels: ClassVar[bool] = True

    negatives: PositiveInt | None = None
    """How many of the other pairs' positives an anchor meets, drawn anew each step; all when not given."""
    length: NonNegativeFloat = 0.005
    """Weight of the mean squared length of the embeddings, which are not normalised."""
