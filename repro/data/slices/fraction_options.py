"""Options of the slice `fraction`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from repro.options.data import SliceOptions


class FractionOptions(SliceOptions):
    main: ClassVar[str | None] = "share"

    share: Annotated[float, Field(gt=0, le=1)]
    """Of the samples of each class, one at least."""

    def rows(self, samples: int, classes: int) -> int:
        return max(classes, round(self.share * samples))
