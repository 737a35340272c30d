"""Options of the stage `fine_tune`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, LabelledViewsSpec, NetworkOf, PositiveFloat, TrainingOptions, Views


class FineTuneOptions(TrainingOptions):
    metrics: ClassVar[tuple[str, ...]] = ("top1", "top5")
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    labelled: ClassVar[tuple[str, ...]] = splits
    of: NetworkOf
    fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    views: LabelledViewsSpec = Views()
    head_lr: PositiveFloat | None = None
