"""Options of the method `nnclr`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import HeadSpec, MethodOptions, PositiveFloat, PositiveInt


class NNCLROptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    predictor: HeadSpec
    """The head on top of the projection, whose output must find the neighbour."""
    temperature: PositiveFloat = 0.1
    """τ, by which cosines are divided."""
    queue: PositiveInt = 98304
    """The number of projections in the support set."""
