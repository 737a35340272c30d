"""Options of the backbone `pixels`."""

from __future__ import annotations

from repro.options import NetworkOptions


class PixelsOptions(NetworkOptions):
    pass
