"""Which rows of which data a stage takes, and the streams of a stage that trains."""

from __future__ import annotations

from pydantic import PositiveInt

from repro.options.base import Options
from repro.options.data import SamplerSpec, SliceSpec
from repro.options.views import Views, ViewsSpec


class DataOptions(Options):
    """A part of a data set."""

    set: str | None = None
    """The data set (default: the recipe's)."""
    split: str | None = None
    """Which of its splits."""
    slice: SliceSpec = ()
    """Which of its rows, or with which labels."""


class SampledOptions(DataOptions):
    """A part of a data set, and how batches are drawn from it."""

    sampler: SamplerSpec | None = None
    """How rows form batches (default: shuffled epochs)."""


class StreamOptions(SampledOptions):
    """A stream beside the main one of a stage that trains."""

    ratio: PositiveInt = 1
    """Samples of this stream for each row of the main one."""
    views: ViewsSpec = Views()
    """How its samples become views."""
