"""Options of the head `linear`."""

from __future__ import annotations

from typing import Literal

from repro.options import HeadOptions, PositiveInt


class LinearOptions(HeadOptions):
    out: PositiveInt | None = None
    out_norm: Literal["affine", "plain"] | None = None
    """BatchNorm after the map, with a scale and shift of its own or without."""

    @property
    def classifies(self) -> bool:
        return self.out is None
