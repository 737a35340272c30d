"""Options of the method `autoencoder`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, PositiveFloat, PositiveInt, Probability


class AutoencoderOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    embeds: ClassVar[bool] = False
    layer: PositiveInt | None = None
    """The only layer of the encoder that learns, from 1, with its counterpart (default: all, end to end)."""
    dropout: Probability | None = None
    """Share of a layer's inputs and outputs that are dropped where one layer learns."""
    initial_sd: PositiveFloat | None = None
    """The standard deviation of all weights at the start, biases being 0 (default: torch's own)."""
