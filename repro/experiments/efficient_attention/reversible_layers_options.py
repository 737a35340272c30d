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
    """The numbers of blocks that are compared."""
    hashes: NonNegativeInt = 0
    """The rounds of hashing; 0 for full attention."""
    length: PositiveInt = 64
    """The sequence length."""
    symbols: PositiveInt = 32
    """The number of different symbols."""
    width: PositiveInt = 32
    """The width of each stream."""
    hidden: PositiveInt = 64
    """The width of the feed-forward layers."""
    heads: PositiveInt = 2
    """The number of attention heads."""
    chunk: PositiveInt = 8
    """The positions in a chunk of the sorted sequence."""
    batch: PositiveInt = 2
    """The number of sequences."""
