"""Options of the stage `gradient_caching`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import model_validator

from repro.options import Field, PositiveFloat, PositiveInt, StageOptions


class GradientCachingOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = (
        "gradient_gap",
        "accumulation_gap",
        "loss_gap",
        "kept_share",
        "peak_share",
        "time_ratio",
    )
    inputs: PositiveInt = 64
    """The dimension of the inputs."""
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (256, 256)
    """The widths of the encoders' hidden layers."""
    out: PositiveInt = 64
    """The dimension of the embeddings."""
    pairs: Annotated[int, Field(ge=2)] = 256
    """The pairs of query and passage in the batch."""
    chunk: PositiveInt = 8
    """The pairs that pass at a time."""
    temperature: PositiveFloat = 0.1
    """τ, by which similarities are divided."""
    repeats: PositiveInt = 10
    """The timed steps over which the processor time is averaged."""

    @model_validator(mode="after")
    def _whole_chunks(self) -> Any:
        if self.pairs % self.chunk:
            raise ValueError("`chunk` must divide `pairs`")
        return self
