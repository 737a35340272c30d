"""Options of the backbone `small_alexnet`."""

from __future__ import annotations

from repro.options import NetworkOptions


class SmallAlexNetOptions(NetworkOptions):
    pass
