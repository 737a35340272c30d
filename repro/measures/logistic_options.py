"""Options of the measure `logistic`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from repro.options.data import MeasureOptions


class LogisticOptions(MeasureOptions):
    metrics: ClassVar[tuple[str, ...]] = ("top1", "top5")
    splits: ClassVar[tuple[str, ...]] = ("train", "test")

    C: PositiveFloat | Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = 1.0
    """Weight of the cross-entropy against ½‖W‖²; of several, the best on a held-out tenth of the training split."""
    scaling: Literal["standardised", "unit"] = "standardised"
    """Whether features get mean 0 and variance 1 over the fitted samples, or unit length."""
    iterations: PositiveInt = 1000
    """L-BFGS stops after so many at the latest."""
