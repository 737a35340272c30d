"""Options of the backbone `mlp`."""

from __future__ import annotations

from typing import Annotated, Literal

from repro.options import Field, NetworkOptions, PositiveInt


class MLPOptions(NetworkOptions):
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    """The widths of the layers; the last is that of the features."""
    activation: Literal["relu", "tanh", "gelu"] = "relu"
    """What follows each layer, the last one too."""
    norm: bool = False
    """Whether BatchNorm stands before each activation; the layers then have no bias."""
    last: Literal["linear"] | None = None
    """Whether the last layer has no activation (default: it has)."""
