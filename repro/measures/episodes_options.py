"""Options of the measure `episodes`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import PositiveFloat, PositiveInt

from repro.options.data import MeasureOptions


class EpisodesOptions(MeasureOptions):
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "interval")

    way: PositiveInt
    """Classes of an episode."""
    shots: PositiveInt
    """Support samples of each class."""
    queries: PositiveInt = 15
    """Query samples of each class."""
    count: PositiveInt = 600
    """Episodes."""
    distance: Literal["cosine", "euclidean", "attention"] = "cosine"
    """The class mean that is nearest by cosine or distance, or the class with most of a softmax over cosines."""
    scale: PositiveFloat = 1.0
    """Factor on the cosines of the softmax of `attention`; it matters with more than one shot."""
