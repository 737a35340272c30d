"""Options of the backbone `cnn`."""

from __future__ import annotations

from typing import Annotated

from repro.options import Field, NetworkOptions, PositiveInt, Probability


class CNNOptions(NetworkOptions):
    channels: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    """The channels of the convolutions."""
    kernel: PositiveInt = 5
    """The side of the convolutions' kernels in pixels."""
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    """The widths of the linear layers after them; the last is that of the features."""
    activated: bool = True
    """Whether ReLU follows the last linear layer, too."""
    dropout: Probability = 0.0
    """The dropout before each linear layer, and of the features."""
