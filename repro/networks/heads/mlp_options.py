"""Options of the head `mlp`."""

from __future__ import annotations

from typing import Literal

from repro.options import HeadOptions, PositiveInt


class MLPOptions(HeadOptions):
    hidden: PositiveInt
    out: PositiveInt
    layers: PositiveInt = 2
    norm: bool = False
    out_norm: Literal["affine", "plain"] | None = None
    bias: bool | None = None
    out_bias: bool | None = None
    activation: Literal["relu", "gelu", "leaky_relu"] | None = None
