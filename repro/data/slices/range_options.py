"""Options of the slice `range`."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from repro.options.base import Probability
from repro.options.data import SliceOptions


class RangeOptions(SliceOptions):
    start: Probability = 0.0
    """The share of the rows before the first that takes part."""
    stop: Probability = 1.0
    """The share of the rows up to and with the last that takes part."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.start >= self.stop:
            raise ValueError("`start` must be below `stop`")
        return self

    def rows(self, samples: int, classes: int) -> int:
        return round(self.stop * samples) - round(self.start * samples)
