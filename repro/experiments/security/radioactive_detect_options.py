"""Options of the stage `radioactive_detect`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Ref, StageOptions


class RadioactiveDetectOptions(StageOptions):
    metrics: ClassVar[tuple[str, ...]] = ("log10_p", "cosine", "residual")
    splits: ClassVar[tuple[str, ...]] = ("test",)
    of: Annotated[str, Ref("classifier")]
    """The stage whose classifier is tested."""
    marks: Annotated[str, Ref("marks")]
    """The stage that marked images."""
