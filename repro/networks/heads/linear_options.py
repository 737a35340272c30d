"""Options of the head `linear`."""

from __future__ import annotations

from typing import Literal

from repro.options import HeadOptions, PositiveInt


class LinearOptions(HeadOptions):
    out: PositiveInt | None = None
    """The width of the output (default: the number of classes)."""
    out_norm: Literal["affine", "plain"] | None = None
    """BatchNorm after the map, with a scale and shift of its own or without (default: none)."""
    bias: bool = True
    """Whether something is added to the product; before BatchNorm nothing is."""
    glorot: bool = False
    """Whether the weights begin as Glorot and Bengio 2010 have them, uniform within √(6 / (inputs + outputs))."""

    @property
    def classifies(self) -> bool:
        return self.out is None
