"""Options of the slice `every`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import PositiveInt

from repro.options.data import SliceOptions


class EveryOptions(SliceOptions):
    main: ClassVar[str | None] = "stride"

    stride: PositiveInt
    """From one row to the next that is taken, beginning with the first."""

    def rows(self, samples: int, classes: int) -> int:
        return -(-samples // self.stride)
