"""Views of the nodes of a graph."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from repro.views.draws import Draws
from repro.views.field import field
from repro.views.kinds.node_options import NodeOptions


class Node:
    """The field `node` -> `node` (n,) int64, the nodes' numbers in the graph, and V copies, `views` (n, V)."""

    Options = NodeOptions

    def __init__(self, options: NodeOptions) -> None:
        self.options = options

    def __call__(self, fields: dict[str, Any], draws: Draws) -> dict[str, Tensor]:
        node = self.plain(fields)
        return {"node": node, "views": node[:, None].expand(-1, self.options.count)}

    def plain(self, fields: dict[str, Any]) -> Tensor:
        """(n,) int64."""
        found: Tensor = field(fields, "node")
        return found
