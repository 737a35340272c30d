"""Options of the head `perceptron`."""

from __future__ import annotations

from typing import ClassVar, Literal

from repro.options import HeadOptions, PositiveInt


class PerceptronOptions(HeadOptions):
    fixed: ClassVar[tuple[str, ...]] = ("out",)
    hidden: tuple[PositiveInt, ...]
    """The width of every layer but the last."""
    out: PositiveInt
    """What the head gives; of a decoder the number of pixels."""
    activation: Literal["relu", "tanh", "gelu"] = "relu"
    """Between the layers."""
