"""Options of the stage `linear_probe`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import LabelledViewsSpec, NetworkOf, TrainingOptions, Views


class LinearProbeOptions(TrainingOptions):
    metrics: ClassVar[tuple[str, ...]] = ("top1", "top5")
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    labelled: ClassVar[tuple[str, ...]] = splits
    of: NetworkOf
    """The stage whose encoder is evaluated."""
    views: LabelledViewsSpec = Views()
    """How training images are augmented, and at what size test images are seen."""
