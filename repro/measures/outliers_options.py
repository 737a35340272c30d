"""Options of the measure `outliers`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import PositiveFloat, PositiveInt

from repro.options import DataOptions
from repro.options.data import MeasureOptions


class OutliersOptions(MeasureOptions):
    metrics: ClassVar[tuple[str, ...]] = ("auroc", "fpr95", "aupr")
    labelled: ClassVar[bool] = False

    against: DataOptions
    """The outliers; of their set, the evaluated split unless another is named."""
    score: Literal["softmax", "logit", "energy", "knn"] = "softmax"
    """The largest probability or logit, T · log Σ exp(logit / T), or how near the k-th nearest training sample is."""
    temperature: PositiveFloat = 1.0
    """T of `softmax` and `energy`."""
    k: PositiveInt = 50
    """The neighbour that counts for `knn`."""

    @property
    def splits(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("train", "test") if self.score == "knn" else ("test",)

    @property
    def part(self) -> str:  # type: ignore[override]
        return "encoder" if self.score == "knn" else "head"

    @property
    def classifies(self) -> bool:  # type: ignore[override]
        return self.score != "knn"

    @property
    def others(self) -> tuple[DataOptions, ...]:
        return (self.against,)
