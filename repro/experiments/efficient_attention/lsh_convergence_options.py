"""Options of the stage `lsh_convergence`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import model_validator

from repro.options import Collection, Field, PositiveFloat, PositiveInt, StageOptions


class LshConvergenceOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"

    length: PositiveInt = 1024
    """L, the number of positions."""
    dim: PositiveInt = 64
    """The dimension of queries and values."""
    cosine: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """The cosine of the two vectors of a pair."""
    scale: PositiveFloat = 16.0
    """The length of the queries."""
    buckets: Annotated[int, Field(ge=2, multiple_of=2)] = 32
    """The number of hash buckets."""
    chunk: PositiveInt = 64
    """The positions in a chunk of the sorted sequence."""
    hashes: Annotated[tuple[PositiveInt, ...], Field(min_length=2)] = (1, 2, 4, 8, 16)
    """The rounds of hashing that are compared."""
    draws: PositiveInt = 20
    """The draws of vectors and rounds over which metrics are averaged."""

    @model_validator(mode="after")
    def _whole_parts(self) -> Any:
        if self.length % self.chunk or self.length % 2:
            raise ValueError("`length` must be even, and `chunk` must divide it")
        return self

    @property
    def metrics(self) -> Collection[str]:
        kinds = [f"{kind}_{n}" for kind in ("bucket", "recall", "mass", "error") for n in self.hashes]
        return [*kinds, "monotone", "error_monotone"]
