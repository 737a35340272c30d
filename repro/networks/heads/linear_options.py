"""Options of the head `linear`."""

from __future__ import annotations

from typing import Literal

from repro.options import HeadOptions, PositiveInt


class LinearOptions(HeadOptions):
    out: PositiveInt | None = None
    """The width of the output (default: the number of classes)."""
    out_norm: Literal["affine", "plain"] | None = None
    """BatchNorm after the map, with a scale and shift of its own or without (default: none)."""

    @property
    def classifies(self) -> bool:
        return self.out is None
