"""Options of the stage `evaluate`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Collection, Ref, StageOptions


class EvaluateOptions(StageOptions):
    divides: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = ("top1", "top5")
    of: Annotated[str, Ref("classifier")]
    split: str = "test"

    @property
    def splits(self) -> Collection[str]:
        return (self.split,)

    @property
    def labelled(self) -> Collection[str]:
        return self.splits
