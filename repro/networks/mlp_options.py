"""Options of the backbone `mlp`."""

from __future__ import annotations

from typing import Annotated, Literal

from repro.options import Field, NetworkOptions, PositiveInt


class MLPOptions(NetworkOptions):
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    activation: Literal["relu", "tanh", "gelu"] = "relu"
    norm: bool = False
