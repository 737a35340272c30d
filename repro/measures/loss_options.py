"""Options of the measure `loss`."""

from __future__ import annotations

from typing import ClassVar

from repro.options.data import MeasureOptions


class LossOptions(MeasureOptions):
    metrics: ClassVar[tuple[str, ...]] = ("loss",)
    labelled: ClassVar[bool] = False
