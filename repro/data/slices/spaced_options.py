"""Options of the slice `spaced`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import PositiveInt

from repro.options.data import SliceOptions


class SpacedOptions(SliceOptions):
    """Every so many rows one: of a stream of tokens, windows that do not overlap."""

    main: ClassVar[str | None] = "step"

    step: PositiveInt
    """The distance of a row from the next, in rows."""

    def rows(self, samples: int, classes: int) -> int:
        return max(samples // self.step, 1)
