"""Options of the slice `relabelled`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Ref
from repro.options.data import SliceOptions


class RelabelledOptions(SliceOptions):
    main: ClassVar[str | None] = "of"

    of: Annotated[str, Ref("labels")]
    """The stage that gave the labels."""
    keep: bool = False
    """Whether rows without such a label stay, with the label that they have."""
