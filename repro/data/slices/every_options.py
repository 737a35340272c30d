"""Options of the slice `every`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import PositiveInt

from repro.options.data import SliceOptions


class EveryOptions(SliceOptions):
    main: ClassVar[str | None] = "step"

    step: PositiveInt
    """How far apart the rows are; the first one is row 0."""

    def rows(self, samples: int, classes: int) -> int:
        return -(-samples // self.step)
