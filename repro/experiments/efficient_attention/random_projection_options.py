"""Options of the stage `random_projection`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Collection, Field, PositiveFloat, PositiveInt, StageOptions


class RandomProjectionOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"

    length: PositiveInt
    """n, the sequence length."""
    dim: PositiveInt = 64
    """d, the dimension of queries and keys."""
    columns: PositiveInt = 16
    """The number of columns of W, the values."""
    ranks: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    """k, the numbers of places that the projection has."""
    epsilon: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """ε, the relative error above which an entry fails."""
    spread: PositiveFloat = 1.0
    """A factor on the scores before the softmax; the larger, the more attention is concentrated."""
    draws: PositiveInt = 1000
    """The random projections over which metrics are averaged."""

    @property
    def metrics(self) -> Collection[str]:
        at_rank = [f"{what}_{rank}" for what in ("failures", "square") for rank in self.ranks]
        return [*at_rank, "bound_share", "columns_failed", "relative_error"]
