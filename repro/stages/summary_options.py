"""Options of the stage `summary`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, MetricsOf, StageOptions


class SummaryOptions(StageOptions):
    metrics: ClassVar[tuple[str, ...]] = ("mean", "min", "max", "first", "last", "change")

    of: Annotated[tuple[MetricsOf, ...], Field(min_length=1)]
    """Metrics of earlier stages; `tasks*_test.top1` are those of all rounds."""
