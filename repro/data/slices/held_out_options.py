"""Options of the slice `held_out`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from repro.options.data import SliceOptions


class HeldOutOptions(SliceOptions):
    main: ClassVar[str | None] = "share"

    share: Annotated[float, Field(gt=0, lt=1)]
    """Of the rows, those that are held out."""
    side: Literal["rest", "held"] = "rest"
    """Whether these are the rows that are held out, or the others."""
    keyed: bool = True
    """Whether they are drawn, or the last ones in the split's order."""

    def rows(self, samples: int, classes: int) -> int:
        held = round(self.share * samples)
        return held if self.side == "held" else samples - held
