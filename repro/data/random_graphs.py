"""Random graphs, drawn from keys: the same everywhere."""

from __future__ import annotations

from itertools import count

import numpy as np
import torch
from torch import Tensor

from repro.keys import key, uniform

GRAPHS = {"train": 913, "validation": 50, "test": 500}
NODES, RADIUS, DENSITY = 68, 0.56, (0.5, 0.6)


def random_geometric(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Adjacency matrices (n, 1, 68, 68) uint8, 255 for an edge, and labels (n,), all 0.

    68 points, uniform in the unit square, have an edge where they are at most 0.56 apart; of these graphs, those in
    which 50 to 60 % of all pairs have one. So in maxwass/pyGSL, models/model_based/glasso/glasso.py. The coordinates
    are multiples of 2^-24, so that squared distances are exact.
    """
    found: list[np.ndarray] = []
    for graph in count():
        points = (
            uniform(key("random geometric", split), torch.tensor([graph]), 2 * NODES).double().view(NODES, 2)
        )
        adjacent = (points[:, None] - points).square().sum(-1) <= RADIUS**2
        adjacent.fill_diagonal_(False)
        density = float(adjacent.sum()) / (NODES * (NODES - 1))
        if DENSITY[0] <= density <= DENSITY[1]:
            found.append(255 * adjacent.numpy().astype(np.uint8))
        if len(found) == GRAPHS[split]:
            break
    return np.stack(found)[:, None], np.zeros(len(found), np.int64)


def pairs(matrix: Tensor) -> Tensor:
    """(n, N, N) -> what is above the diagonal, row by row (n, N (N − 1) / 2)."""
    nodes = matrix.shape[-1]
    row, column = torch.triu_indices(nodes, nodes, offset=1, device=matrix.device)
    return matrix[:, row, column]
