"""Options of the head `mlp`."""

from __future__ import annotations

from typing import Literal

from repro.options import HeadOptions, PositiveInt


class MLPOptions(HeadOptions):
    hidden: PositiveInt
    """The width of the inner layers."""
    out: PositiveInt
    """The width of the output."""
    layers: PositiveInt = 2
    """The number of linear maps."""
    norm: bool = False
    """Whether BatchNorm stands before each activation."""
    out_norm: Literal["affine", "plain"] | None = None
    """BatchNorm after the last map, with a scale and shift (`affine`) or without (default: none)."""
    bias: bool | None = None
    """Whether the inner maps have a bias (default: where no BatchNorm follows)."""
    out_bias: bool | None = None
    """Whether the last map has a bias (default: where no BatchNorm follows)."""
    activation: Literal["relu", "gelu", "leaky_relu"] | None = None
    """What stands between the maps (default: relu)."""
