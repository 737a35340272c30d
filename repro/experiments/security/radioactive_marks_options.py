"""Options of the stage `radioactive_marks`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import (
    Field,
    NetworkOf,
    NonNegativeFloat,
    Optimizer,
    PositiveFloat,
    PositiveInt,
    StageOptions,
    ViewsSpec,
)


class RadioactiveMarksOptions(StageOptions):
    metrics: ClassVar[tuple[str, ...]] = ("psnr", "shift", "alignment")
    leaves: ClassVar[tuple[str, ...]] = ("marks",)
    splits: ClassVar[tuple[str, ...]] = ("train",)
    of: NetworkOf
    percent: Annotated[float, Field(gt=0, le=100)]
    views: ViewsSpec
    optimizer: Optimizer
    steps: PositiveInt = 90
    radius: PositiveFloat = 10.0
    feature_weight: NonNegativeFloat = 0.01
    image_weight: NonNegativeFloat = 0.0005
    batch: PositiveInt = 500
