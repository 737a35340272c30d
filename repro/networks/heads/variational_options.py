"""Options of the head `variational`."""

from __future__ import annotations

from typing import Annotated

from repro.options import Field, HeadOptions, PositiveInt


class VariationalOptions(HeadOptions):
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    """The widths of the hidden layers, which the decoder has in the reverse order."""
    latent: PositiveInt
    """How many latent variables there are."""
