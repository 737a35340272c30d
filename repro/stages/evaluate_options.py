"""Options of the stage `evaluate`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from repro.options import Collection, DataOptions, Ref, StageOptions
from repro.options.data import MeasureSpec


class EvaluateOptions(StageOptions):
    divides: ClassVar[bool] = True

    of: Annotated[str, Ref("network")]
    split: str = "test"
    measure: MeasureSpec | None = None
    features: Literal["encoder", "head"] | None = None
    data: DataOptions | None = None

    @property
    def metrics(self) -> Collection[str]:
        return ("top1", "top5") if self.measure is None else self.measure.metrics

    @property
    def needs(self) -> Mapping[str, tuple[str, ...]]:
        return {"of": ("classifier",)} if self.measure is None else {}

    @property
    def splits(self) -> Collection[str]:
        return (*self.measure.splits[:-1], self.split) if self.measure else (self.split,)

    @property
    def labelled(self) -> Collection[str]:
        return () if self.measure else self.splits
