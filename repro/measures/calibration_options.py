"""Options of the measure `calibration`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import PositiveInt

from repro.options.data import MeasureOptions


class CalibrationOptions(MeasureOptions):
    metrics: ClassVar[tuple[str, ...]] = ("ece", "nll", "brier", "top1")
    part: ClassVar[str] = "head"
    classifies: ClassVar[bool] = True

    bins: PositiveInt = 15
    """Intervals of equal width into which the confidences are sorted (M)."""
