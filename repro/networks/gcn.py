"""Graph convolutions, Kipf and Welling 2017, Semi-supervised classification with graph convolutional networks (arXiv
1609.02907)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from repro.data.table import Table
from repro.errors import UserError
from repro.networks.dropout import Keyed, drawn, scaled
from repro.networks.gcn_options import GCNOptions


class GCN(nn.Module):
    """nodes (n,) int64 -> features (n, dim) of these nodes of the graph that the network has met.

    Layer l makes H_l = ReLU(Â dropout(H_{l−1}) W_l) of all nodes, with H_0 the nodes' own features divided by their
    sum, and Â = D̃^(−1/2) (A + I) D̃^(−1/2), eq. 2. What it gives is Â dropout(H_L), so that with a linear head without
    bias it is eq. 9: the last W is the head's, applied to the nodes that are asked for alone.
    """

    Options = GCNOptions

    def __init__(self, options: Any, shape: tuple[int, ...]):
        super().__init__()
        layers = [nn.Linear(a, b, bias=False) for a, b in pairwise((*shape, *options.hidden))]
        for layer in layers:
            nn.init.xavier_uniform_(layer.weight)
        self.layers, self.dim = nn.ModuleList(layers), options.hidden[-1]
        self.drops = nn.ModuleList(NodeDropout(options.dropout) for _ in range(len(layers) + 1))
        self.input, self.graph = Sparse(), Sparse()

    def meet(self, table: Table) -> None:
        """Takes over the graph of a set: facts `features` (N, d), and `edges` (2, E) of which each stands once."""
        if not {"features", "edges"} <= table.facts.keys():
            raise UserError(
                f"{table.name} is no graph, which the network `gcn` needs; name a set with edges."
            )
        device = next(self.parameters()).device
        features, edges = table.facts["features"], table.facts["edges"]
        self.input.hold(features / features.sum(1, keepdim=True).clamp(min=1e-12), device)
        self.graph.hold(normalised(edges, len(features)), device)

    def forward(self, nodes: Tensor) -> Tensor:
        first, *others = self.layers
        dropped, *drops = self.drops
        x = self.input(first.weight.T, dropped)
        for layer, drop in zip(others, drops, strict=False):
            x = layer(drop(self.graph(x).relu()))
        return self.graph(self.drops[-1](self.graph(x).relu()))[nodes]


def normalised(edges: Tensor, nodes: int) -> Tensor:
    """Edges (2, E) in any direction, each once -> the sparse D̃^(−1/2) (A + I) D̃^(−1/2), (N, N)."""
    loops = torch.arange(nodes).expand(2, -1)
    row, column = torch.cat([edges, edges.flip(0), loops], 1)
    root = row.bincount(minlength=nodes).float().rsqrt()
    values, places = root[row] * root[column], torch.stack([row, column])
    return torch.sparse_coo_tensor(places, values, (nodes, nodes), check_invariants=True)


class Sparse(nn.Module):
    """A sparse matrix (N, m) that stands still and belongs to the data: checkpoints do not hold it."""

    entries: Tensor
    places: Tensor

    def hold(self, matrix: Tensor, device: torch.device) -> None:
        found = matrix.to_sparse().coalesce()
        self.rows = len(matrix)
        self.register_buffer("entries", found.values().to(device), persistent=False)
        self.register_buffer("places", found.indices().to(device), persistent=False)

    def forward(self, x: Tensor, dropped: nn.Module | None = None) -> Tensor:
        """x (m, d) -> the product (N, d); `dropped` is applied to the matrix's entries that are not 0."""
        values = self.entries.to(x.dtype)[:, None]
        values = values if dropped is None else dropped(values)
        row, column = self.places
        return x.new_zeros(self.rows, x.shape[1]).index_add(0, row, values * x.index_select(0, column))


class NodeDropout(Keyed):
    """Dropout whose draws belong to the rows of the whole graph: all parts of a batch see the same graph."""

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """x (rows, d) -> the same shape: what is dropped becomes 0, the rest is scaled."""
        if not self.training or self.p == 0:
            return x
        self.calls += 1
        rows = torch.arange(len(x), device=x.device)
        draws = drawn(self.masks.key ^ (self.number + self.calls), rows, x.shape[1])
        return x * scaled((draws >= self.p).to(x.dtype), self.p)
