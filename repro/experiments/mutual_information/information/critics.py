"""Critics: networks that score pairs (x, y). Poole et al. 2019 (arXiv 1905.06922) call them joint and separable."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from repro.networks.mlp import perceptron


def circulant(size: int, candidates: int, device: torch.device) -> Tensor:
    """Row i (size, candidates): i, i + 1, … modulo size: who is compared with sample i, itself first."""
    order = torch.arange(size, device=device)
    return (order[:, None] + order[:candidates]) % size


class Joint(nn.Module):
    """A critic that sees x and y side by side."""

    def __init__(self, x: int, y: int, width: int, hidden: int, embed: int):
        super().__init__()
        self.net = perceptron((x + y, *[width] * hidden, 1))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """x (B, dx), y (B, N, dy) -> (B, N)."""
        return self.net(torch.cat([x[:, None].expand(-1, y.shape[1], -1), y], -1)).squeeze(-1)

    def among(self, x: Tensor, y: Tensor, order: Tensor) -> Tensor:
        """x (B, dx), y (B, dy), order (B, N) -> the scores of x_i with y_order[i] (B, N)."""
        return self(x, y[order])


class Separable(nn.Module):
    """A critic that is an inner product of an embedding of x and one of y."""

    def __init__(self, x: int, y: int, width: int, hidden: int, embed: int):
        super().__init__()
        self.x = perceptron((x, *[width] * hidden, embed))
        self.y = perceptron((y, *[width] * hidden, embed))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return (self.x(x)[:, None] * self.y(y)).sum(-1)

    def among(self, x: Tensor, y: Tensor, order: Tensor) -> Tensor:
        return (self.x(x) @ self.y(y).T).gather(1, order)


CRITICS: dict[str, type[Joint | Separable]] = {"joint": Joint, "separable": Separable}
