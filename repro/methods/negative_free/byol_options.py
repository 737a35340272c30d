"""Options of the method `byol`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import HeadSpec, MethodOptions, Momentum, PositiveFloat


class BYOLOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    predictor: HeadSpec | None
    """The online network's head on top of the projection; without it (`null`) the method collapses (Table 5b)."""
    momentum: Momentum = Momentum(start=0.996, end=1.0)
    """τ, the EMA decay of the target network (section 3.1)."""
    scale: PositiveFloat = 1.0
    """A factor on the loss; codes that average −cosine over both directions have 0.25."""
