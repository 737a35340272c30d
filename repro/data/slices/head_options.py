"""Options of the slice `head`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import PositiveInt

from repro.options.data import SliceOptions


class HeadOptions(SliceOptions):
    main: ClassVar[str | None] = "count"

    count: PositiveInt
    """How many, of the first ones."""
    shuffled: bool = False
    """Whether they are the first of a keyed order."""

    def rows(self, samples: int, classes: int) -> int:
        return min(samples, self.count)
