"""Options of the head `centres`."""

from __future__ import annotations

from repro.options import HeadOptions, PositiveFloat, PositiveInt


class CentresOptions(HeadOptions):
    clusters: PositiveInt
    """How many centres there are."""
    alpha: PositiveFloat = 1.0
    """Degrees of freedom of Student's t-distribution, α."""
