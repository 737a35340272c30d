"""Options of the stage `cosine_null`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Collection, Field, PositiveInt, StageOptions


class CosineNullOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"

    dims: Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=1)] = (3, 16, 64, 512)
    """d, the dimensions in which directions are drawn."""
    draws: PositiveInt = 100_000
    """The random directions of each dimension."""
    classes: PositiveInt = 10
    """The p-values that are combined into one."""

    @property
    def metrics(self) -> Collection[str]:
        return [*(f"variance_{dim}" for dim in self.dims), "ks", "combined_ks", "false_positives"]
