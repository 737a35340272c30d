"""Options of the slice `selected`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Ref
from repro.options.data import SliceOptions


class SelectedOptions(SliceOptions):
    main: ClassVar[str | None] = "of"

    of: Annotated[str, Ref("index")]
    """The stage that chose the rows."""
    without: bool = False
    """Whether the others are taken."""
