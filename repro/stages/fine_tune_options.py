"""Options of the stage `fine_tune`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, LabelledViewsSpec, NetworkOf, PositiveFloat, TrainingOptions, Views


class FineTuneOptions(TrainingOptions):
    metrics: ClassVar[tuple[str, ...]] = ("top1", "top5")
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    labelled: ClassVar[tuple[str, ...]] = splits
    of: NetworkOf
    """The stage whose encoder is trained on."""
    fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    """The share of each class's training images that take part, the same ones for the same seed."""
    views: LabelledViewsSpec = Views()
    """How training images are augmented, and at what size test images are seen."""
    head_lr: PositiveFloat | None = None
    """The classifier's learning rate, then without weight decay (default: as the encoder's)."""
