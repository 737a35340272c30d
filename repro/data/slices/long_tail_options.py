"""Options of the slice `long_tail`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import PositiveFloat

from repro.options.data import SliceOptions


class LongTailOptions(SliceOptions):
    main: ClassVar[str | None] = "ratio"

    ratio: PositiveFloat
    """Samples of the first class for each of the last one (ρ)."""

    def rows(self, samples: int, classes: int) -> int:
        steps = max(1, classes - 1)
        return sum(max(1, int(samples / classes * self.ratio ** (-c / steps))) for c in range(classes))
