"""Options of the measure `regression`."""

from __future__ import annotations

from typing import ClassVar

from repro.options.data import MeasureOptions


class RegressionOptions(MeasureOptions):
    metrics: ClassVar[tuple[str, ...]] = ("rmse", "mae", "r2")
    part: ClassVar[str] = "head"
    labelled: ClassVar[bool] = False

    target: str = "target"
    """The field of the true numbers."""
