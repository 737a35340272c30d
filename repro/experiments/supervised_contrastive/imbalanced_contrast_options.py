"""Options of the stage `imbalanced_contrast`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, Optimizer, PositiveFloat, PositiveInt, StageOptions


class ImbalancedContrastOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    trains: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = (
        "frame_plain",
        "frame_relu",
        "spread_plain",
        "spread_relu",
        "top1_plain",
        "top1_relu",
    )
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    per_class: Annotated[int, Field(ge=2)] = 500
    ratio: PositiveInt = 10
    batch: PositiveInt = 250
    bind: bool = True
    steps: PositiveInt = 600
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (256, 256)
    dim: PositiveInt = 128
    temperature: PositiveFloat = 0.1
    optimizer: Optimizer = Optimizer(lr=0.1, momentum=0.9)
