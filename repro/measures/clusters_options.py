"""Options of the measure `clusters`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import PositiveInt

from repro.options.data import MeasureOptions


class ClustersOptions(MeasureOptions):
    metrics: ClassVar[tuple[str, ...]] = ("acc", "nmi", "ari")

    by: Literal["kmeans", "outputs"] = "kmeans"
    """Whether k-means on the features forms the clusters, or a sample's largest output is its cluster."""
    count: PositiveInt | None = None
    """Clusters of k-means (default: as many as classes)."""
    starts: PositiveInt = 20
    """k-means starts so often, and keeps the best by its own objective."""
    unit: bool = False
    """Whether features are brought to unit length before k-means."""
    average: Literal["arithmetic", "geometric", "min", "max"] = "arithmetic"
    """Which mean of the two entropies NMI is normalised by."""

    @property
    def part(self) -> str:  # type: ignore[override]
        return "head" if self.by == "outputs" else "encoder"
