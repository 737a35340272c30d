"""Options of the measure `accuracy`."""

from __future__ import annotations

from typing import ClassVar, Literal

from repro.options.data import MeasureOptions


class AccuracyOptions(MeasureOptions):
    metrics: ClassVar[tuple[str, ...]] = ("top1", "top5")
    part: ClassVar[str] = "head"
    classifies: ClassVar[bool] = True

    among: Literal["present"] | None = None
    """Among which classes the largest logit is sought: those that the evaluated samples have (default: all)."""
