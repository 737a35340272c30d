"""Options of the head `perceptron`."""

from __future__ import annotations

from typing import Annotated, Literal

from repro.options import Field, HeadOptions, PositiveInt


class PerceptronOptions(HeadOptions):
    widths: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    """The width of every layer; the last is what the head gives."""
    activation: Literal["relu", "tanh", "gelu"] = "relu"
    """Between the layers."""
