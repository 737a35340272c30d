"""Options of the measure `ridge`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveFloat

from repro.options.data import MeasureOptions


class RidgeOptions(MeasureOptions):
    metrics: ClassVar[tuple[str, ...]] = ("top1", "top5")
    splits: ClassVar[tuple[str, ...]] = ("train", "test")

    alpha: PositiveFloat | Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = 1.0
    """Weight of ‖W‖² against the sum of squares; of several, the best in leaving out one training sample each."""
    scaling: Literal["standardised", "unit"] = "standardised"
    """Whether features get mean 0 and variance 1 over the training samples, or unit length."""
