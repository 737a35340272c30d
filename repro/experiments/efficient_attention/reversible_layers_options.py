"""Options of the stage `reversible_layers`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, NonNegativeInt, PositiveInt, StageOptions


class ReversibleLayersOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    metrics: ClassVar[tuple[str, ...]] = (
        "inputs_gap",
        "gradient_gap",
        "loss_gap",
        "growth",
        "plain_growth",
        "kept_ratio",
    )
    depths: Annotated[tuple[PositiveInt, ...], Field(min_length=3)] = (1, 2, 4, 8, 16)
    hashes: NonNegativeInt = 0
    length: PositiveInt = 64
    symbols: PositiveInt = 32
    width: PositiveInt = 32
    hidden: PositiveInt = 64
    heads: PositiveInt = 2
    chunk: PositiveInt = 8
    batch: PositiveInt = 2
