"""Options of the measure `ridge`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveFloat

from repro.options.data import MeasureOptions


class RidgeOptions(MeasureOptions):
    splits: ClassVar[tuple[str, ...]] = ("train", "test")

    alpha: PositiveFloat | Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = 1.0
    """Weight of ‖W‖² against the sum of squares; of several, the best in leaving out one training sample each."""
    scaling: Literal["standardised", "unit"] = "standardised"
    """Whether features get mean 0 and variance 1 over the training samples, or unit length."""
    target: str | None = None
    """A field of numbers to predict instead of the class."""

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("top1", "top5") if self.target is None else ("rmse", "mae", "r2")

    @property
    def labelled(self) -> bool:  # type: ignore[override]
        return self.target is None
