"""Options of the stage `lsh_convergence`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import model_validator

from repro.options import Collection, Field, PositiveFloat, PositiveInt, StageOptions


class LshConvergenceOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"

    length: PositiveInt = 1024
    dim: PositiveInt = 64
    cosine: Annotated[float, Field(gt=0, lt=1)] = 0.9
    scale: PositiveFloat = 16.0
    buckets: Annotated[int, Field(ge=2, multiple_of=2)] = 32
    chunk: PositiveInt = 64
    hashes: Annotated[tuple[PositiveInt, ...], Field(min_length=2)] = (1, 2, 4, 8, 16)
    draws: PositiveInt = 20

    @model_validator(mode="after")
    def _whole_parts(self) -> Any:
        if self.length % self.chunk or self.length % 2:
            raise ValueError("`length` must be even, and `chunk` must divide it")
        return self

    @property
    def metrics(self) -> Collection[str]:
        kinds = [f"{kind}_{n}" for kind in ("bucket", "recall", "mass", "error") for n in self.hashes]
        return [*kinds, "monotone", "error_monotone"]
