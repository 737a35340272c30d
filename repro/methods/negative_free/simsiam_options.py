"""Options of the method `simsiam`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import HeadSpec, MethodOptions


class SimSiamOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    predictor: HeadSpec | None
    """The head h on top of the projection; without it (`null`) the method collapses (Table 1)."""
    stop_gradient: bool = True
    """Whether the target gets no gradient; without it the method collapses (Figure 2)."""
    constant_predictor_rate: bool = False
    """Whether the schedule leaves the predictor's learning rate alone (Table 1, row c)."""
