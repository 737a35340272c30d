"""Options of the method `fastsiam`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import HeadSpec, MethodOptions


class FastSiamOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, None)
    predictor: HeadSpec
    """The head that predicts the target from a projection."""
