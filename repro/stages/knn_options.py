"""Options of the stage `knn`."""

from __future__ import annotations

from typing import ClassVar, Literal

from repro.options import NetworkOf, PositiveFloat, PositiveInt, StageOptions


class KNNOptions(StageOptions):
    divides: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = ("top1", "top5")
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    labelled: ClassVar[tuple[str, ...]] = splits
    of: NetworkOf
    k: PositiveInt = 200
    temperature: PositiveFloat = 0.1
    features: Literal["encoder", "head"] | None = None
