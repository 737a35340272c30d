"""Options of the method `deepcluster_v2`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, MethodOptions, PositiveFloat, PositiveInt


class DeepClusterV2Options(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    takes_local: ClassVar[bool] = True
    prototypes: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (3000, 3000, 3000)
    """The number of clusters K of each clustering; one k-means for each entry."""
    temperature: PositiveFloat = 0.1
    """τ, by which cosines with the centroids are divided."""
    kmeans_iterations: PositiveInt = 10
    """The iterations of each spherical k-means."""
