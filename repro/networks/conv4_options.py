"""Options of the backbone `conv4`."""

from __future__ import annotations

from typing import Annotated, Literal

from repro.options import Field, NetworkOptions, PositiveInt


class Conv4Options(NetworkOptions):
    widths: Annotated[tuple[PositiveInt, ...], Field(min_length=4, max_length=4)] = (64, 64, 64, 64)
    """Channels of the four convolutions."""
    pool: Literal["max", "average"] = "max"
    """How 2×2 pixels become one after each block."""
    last: Literal["pool", "global"] = "pool"
    """After the last block: 2×2 pooling and all that is left as features, or the mean over all places."""
