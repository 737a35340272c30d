"""Options of the method `deepcluster`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, PositiveInt


class DeepClusterOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)

    clusters: PositiveInt = 100
    """k of k-means, and outputs of the head."""
    starts: PositiveInt = 5
    """Starts of k-means (k-means++), of which the best counts."""
    iterations: PositiveInt = 30
    """Iterations of k-means at most."""
