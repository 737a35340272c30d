"""Options of the head `linear`."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from repro.options import HeadOptions, PositiveInt


class LinearOptions(HeadOptions):
    out: PositiveInt | None = None
    """The width of the output (default: the number of classes)."""
    out_norm: Literal["affine", "plain"] | None = None
    """BatchNorm after the map, with a scale and shift of its own or without (default: none)."""
    bias: bool | None = None
    """Whether something is added to the product (default: yes, but not before BatchNorm)."""
    glorot: bool | None = None
    """Whether weights begin uniform within √(6 / (inputs + outputs)), Glorot and Bengio 2010 (default: no)."""
    inner: tuple[PositiveInt, ...] | None = None
    """The widths of linear maps before the last one, with nothing between them (default: none)."""

    @model_validator(mode="after")
    def _one_form(self) -> LinearOptions:
        if self.inner and self.out_norm:
            raise ValueError("`inner` and `out_norm` exclude each other")
        return self

    @property
    def classifies(self) -> bool:
        return self.out is None
