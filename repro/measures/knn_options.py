"""Options of the measure `knn`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import PositiveFloat, PositiveInt

from repro.options.data import MeasureOptions


class KNNOptions(MeasureOptions):
    metrics: ClassVar[tuple[str, ...]] = ("top1", "top5")
    splits: ClassVar[tuple[str, ...]] = ("train", "test")

    k: PositiveInt = 200
    """How many of the nearest training samples vote."""
    temperature: PositiveFloat = 0.1
    """T of the weights exp(cosine / T)."""
