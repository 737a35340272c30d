"""Options of the slice `per_class`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import PositiveInt

from repro.options.data import SliceOptions


class PerClassOptions(SliceOptions):
    main: ClassVar[str | None] = "count"

    count: PositiveInt
    """Labelled samples of each class."""
    keep: bool = False
    """Whether the others stay, without a label."""

    def rows(self, samples: int, classes: int) -> int:
        return samples if self.keep else min(samples, self.count * classes)
