"""Options of the backbone `gcn`."""

from __future__ import annotations

from typing import Annotated

from repro.options import Field, NetworkOptions, PositiveInt, Probability


class GCNOptions(NetworkOptions):
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (16,)
    """The widths of the layers below the classifier; the last is that of the features."""
    dropout: Probability = 0.5
    """The probability with which an entry of the input of a layer, or of the classifier, is dropped."""
