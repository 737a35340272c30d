"""Options of the stage `duplication`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import model_validator

from repro.options import Collection, Field, NonNegativeInt, Optimizer, PositiveInt, StageOptions


class DuplicationOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    trains: ClassVar[bool] = True
    word: PositiveInt
    symbols: PositiveInt = 127
    width: PositiveInt = 256
    hidden: PositiveInt = 256
    heads: PositiveInt = 4
    layers: PositiveInt = 1
    chunk: PositiveInt = 64
    hashes: NonNegativeInt = 0
    evaluate: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)] = (0, 8, 4, 2, 1)
    sequences: PositiveInt = 256
    batch: PositiveInt
    steps: PositiveInt
    warmup: PositiveInt
    optimizer: Optimizer

    @model_validator(mode="after")
    def _whole_parts(self) -> Any:
        if (2 * self.word + 2) % self.chunk:
            raise ValueError("`chunk` must divide the length, 2 `word` + 2")
        if self.width % (2 * self.heads):
            raise ValueError("`width` must be an even multiple of `heads`")
        return self

    @property
    def metrics(self) -> Collection[str]:
        return [f"lsh{n}" if n else "full" for n in self.evaluate]
