"""Options of the method `deepcluster_v2`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, MethodOptions, PositiveFloat, PositiveInt


class DeepClusterV2Options(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    takes_local: ClassVar[bool] = True
    prototypes: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (3000, 3000, 3000)
    temperature: PositiveFloat = 0.1
    kmeans_iterations: PositiveInt = 10
