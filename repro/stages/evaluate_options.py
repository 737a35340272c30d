"""Options of the stage `evaluate`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import model_validator

from repro.options import Collection, DataOptions, Ref, StageOptions
from repro.options.data import MeasureSpec


class EvaluateOptions(StageOptions):
    divides: ClassVar[bool] = True

    of: Annotated[str, Ref("network")]
    """The stage that trained the network."""
    split: str = "test"
    """The split on which it is evaluated."""
    measure: MeasureSpec | None = None
    """What is measured (default: the accuracy of a classifier)."""
    features: Literal["encoder", "head"] | None = None
    """Whether the measure sees the encoder's features or what the head makes of them (default: the encoder's)."""
    data: DataOptions | None = None
    """Which data, and which of its rows, where that is not a whole split of the recipe's."""

    @property
    def metrics(self) -> Collection[str]:
        return ("top1", "top5") if self.measure is None else self.measure.metrics

    @property
    def needs(self) -> Mapping[str, tuple[str, ...]]:
        return {"of": ("classifier",)} if self.measure is None or self.measure.classifies else {}

    @property
    def splits(self) -> Collection[str]:
        return (*self.measure.splits[:-1], self.split) if self.measure else (self.split,)

    @property
    def labelled(self) -> Collection[str]:
        return self.splits if self.measure is None or self.measure.labelled else ()

    @model_validator(mode="after")
    def _several_splits_differ(self) -> Self:
        if self.measure and self.data and self.data.split and len(self.measure.splits) > 1:
            raise ValueError(
                f"measure `{self.measure.name}` compares the splits {' and '.join(self.measure.splits)}, and `data: "
                "split:` would make them one; name the evaluated one with `split:`"
            )
        return self
