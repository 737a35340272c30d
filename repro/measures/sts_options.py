"""Options of the measure `sts`."""

from __future__ import annotations

from typing import ClassVar

from repro.options.data import MeasureOptions


class STSOptions(MeasureOptions):
    metrics: ClassVar[tuple[str, ...]] = ("spearman", "pearson")
    labelled: ClassVar[bool] = False

    other: str = "tokens_b"
    """The field of the second sentence; the first is what the network takes."""
    score: str = "score"
    """The field that says how alike the two are."""
