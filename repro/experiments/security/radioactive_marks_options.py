"""Options of the stage `radioactive_marks`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import (
    Field,
    NetworkOf,
    NonNegativeFloat,
    OptimizerSpec,
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
    """The stage whose network is frozen as φ."""
    percent: Annotated[float, Field(gt=0, le=100)]
    """The share of each class's training images that is marked, in %."""
    views: ViewsSpec
    """The random view of a step."""
    optimizer: OptimizerSpec
    """The update rule of the pixels."""
    steps: PositiveInt = 90
    """The steps on each image."""
    radius: PositiveFloat = 10.0
    """The largest change of a pixel, in levels of 255."""
    feature_weight: NonNegativeFloat = 0.01
    """The weight of the distance of the features."""
    image_weight: NonNegativeFloat = 0.0005
    """The weight of the squared distance of the pixels."""
    batch: PositiveInt = 500
    """The images that are marked at a time."""
