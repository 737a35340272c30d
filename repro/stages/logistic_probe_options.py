"""Options of the stage `logistic_probe`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.options import Field, NetworkOf, PositiveFloat, PositiveInt, StageOptions


class LogisticProbeOptions(StageOptions):
    divides: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = ("top1", "top5")
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    labelled: ClassVar[tuple[str, ...]] = splits
    of: NetworkOf
    C: PositiveFloat | Annotated[tuple[PositiveFloat, ...], Field(min_length=1)]
    features: Literal["standardised", "unit"] = "standardised"
    iterations: PositiveInt = 1000
