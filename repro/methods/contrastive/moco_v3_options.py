"""Options of the method `moco_v3`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import HeadSpec, MethodOptions, Momentum, PositiveFloat


class MoCoV3Options(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    predictor: HeadSpec
    """The head that predicts the other view's key from a projection."""
    temperature: PositiveFloat = 0.2
    """τ, by which cosines are divided."""
    momentum: Momentum = Momentum(start=0.99, end=1.0)
    """m, the EMA decay of the momentum encoder; a start of 0.99 is for long training of Transformers."""
