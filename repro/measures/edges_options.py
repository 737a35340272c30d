"""Options of the measure `edges`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import PositiveInt
from repro.options.data import MeasureOptions


class EdgesOptions(MeasureOptions):
    metrics: ClassVar[tuple[str, ...]] = ("error", "f1", "threshold")
    splits: ClassVar[tuple[str, ...]] = ("validation", "test")
    labelled: ClassVar[bool] = False

    thresholds: PositiveInt = 200
    """How many thresholds are tried, evenly spaced over the range of the validation scores."""
