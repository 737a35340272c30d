"""The nodes of a graph."""

from __future__ import annotations

from repro.options import ViewOptions


class NodeOptions(ViewOptions):
    """The numbers of the nodes: a network that has met the graph does the rest."""
