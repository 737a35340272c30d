"""Options of the stage `acquire`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.options import Field, IndexOf, PositiveInt, Ref
from repro.options.choosing import ChoosingOptions


class AcquireOptions(ChoosingOptions):
    metrics: ClassVar[tuple[str, ...]] = ("rows",)

    by: Literal["random", "least_confidence", "margin", "entropy", "bald", "coreset"]
    """How rows are chosen."""
    count: PositiveInt
    """How many rows are added."""
    first: PositiveInt | None = None
    """How many are in the first round, when there is no `also` (default: `count`)."""
    of: Annotated[str, Ref("classifier")] | None = None
    """The stage whose classifier says what is uncertain; without it, as in the first round, rows are random."""
    also: IndexOf | None = None
    """The stage that left the rows which are labelled already."""
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    """The share of the pool, drawn anew, among which rows are chosen (default: all of it)."""
    passes: PositiveInt = 20
    """Passes with dropout, for `bald`."""
