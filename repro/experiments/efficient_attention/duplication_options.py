"""Options of the stage `duplication`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import model_validator

from repro.options import Collection, Field, NonNegativeInt, OptimizerSpec, PositiveInt, StageOptions


class DuplicationOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    trains: ClassVar[bool] = True
    word: PositiveInt
    """The number of symbols of the word w that is to be repeated."""
    symbols: PositiveInt = 127
    """The number of different symbols."""
    width: PositiveInt = 256
    """The width of the embeddings and of each stream of the Reformer."""
    hidden: PositiveInt = 256
    """The width of the feed-forward layers."""
    heads: PositiveInt = 4
    """The number of attention heads."""
    layers: PositiveInt = 1
    """The number of reversible blocks."""
    chunk: PositiveInt = 64
    """m, the positions in a chunk of the sorted sequence."""
    hashes: NonNegativeInt = 0
    """The rounds of hashing in training; 0 for full attention."""
    evaluate: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)] = (0, 8, 4, 2, 1)
    """The rounds of hashing with which the model is evaluated, one after the other; 0 for full attention."""
    sequences: PositiveInt = 256
    """The fresh sequences of the evaluation."""
    batch: PositiveInt
    """The sequences in each batch."""
    steps: PositiveInt
    """The steps of training."""
    warmup: PositiveInt
    """The steps until the learning rate stops rising and falls as 1/√step."""
    optimizer: OptimizerSpec
    """The update rule, with the largest learning rate."""

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
