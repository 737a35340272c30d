"""Options of the stage `random_projection`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Collection, Field, PositiveFloat, PositiveInt, StageOptions


class RandomProjectionOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"

    length: PositiveInt
    dim: PositiveInt = 64
    columns: PositiveInt = 16
    ranks: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    epsilon: Annotated[float, Field(gt=0, lt=1)] = 0.5
    spread: PositiveFloat = 1.0
    draws: PositiveInt = 1000

    @property
    def metrics(self) -> Collection[str]:
        at_rank = [f"{what}_{rank}" for what in ("failures", "square") for rank in self.ranks]
        return [*at_rank, "bound_share", "columns_failed", "relative_error"]
