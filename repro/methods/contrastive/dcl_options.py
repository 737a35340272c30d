"""Options of the method `dcl`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, PositiveFloat


class DCLOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    temperature: PositiveFloat = 0.1
    """τ, by which cosines are divided."""
    weighted_sigma: PositiveFloat | None = None
    """σ of DCLW's weights of the positives, 0.5 in the paper (default: all weigh 1, DCL)."""
    stop_weights: bool | None = None
    """Whether no gradient passes through DCLW's weights (default: one does)."""
    scale: PositiveFloat | None = None
    """A factor on the loss; codes that add both views' losses have 2 (default: 1)."""
