"""Options of the backbone `gdn`."""

from __future__ import annotations

from repro.options import NetworkOptions, PositiveInt


class GDNOptions(NetworkOptions):
    layers: PositiveInt = 8
    """The number of unrolled iterations, each with parameters of its own."""
    channels: PositiveInt = 8
    """Estimates of the graph that the layers refine side by side."""
