"""Options of the head `pooler`."""

from __future__ import annotations

from repro.options import HeadOptions


class PoolerOptions(HeadOptions):
    """It has none: it keeps the features' width."""
