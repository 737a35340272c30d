"""Critics: networks that score pairs (x, y). Poole et al. 2019 (arXiv 1905.06922) call them joint and separable."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def perceptron(inputs: int, outputs: int, width: int, hidden: int) -> nn.Sequential:
    """ReLU layers with torch's own initialisation, which starts critics near zero."""
    layers: list[nn.Module] = []
    for fan_in in (inputs, *[width] * (hidden - 1)):
        layers += [nn.Linear(fan_in, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def circulant(size: int, candidates: int, device: torch.device) -> Tensor:
    """Row i (size, candidates): i, i + 1, … modulo size: who is compared with sample i, itself first."""
    order = torch.arange(size, device=device)
    return (order[:, None] + order[:candidates]) % size


class Joint(nn.Module):
    """A critic that sees x and y side by side."""

    def __init__(self, x: int, y: int, width: int, hidden: int, embed: int):
        super().__init__()
        self.net = perceptron(x + y, 1, width, hidden)

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
        self.x = perceptron(x, embed, width, hidden)
        self.y = perceptron(y, embed, width, hidden)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return (self.x(x)[:, None] * self.y(y)).sum(-1)

    def among(self, x: Tensor, y: Tensor, order: Tensor) -> Tensor:
        return (self.x(x) @ self.y(y).T).gather(1, order)


CRITICS: dict[str, type[Joint | Separable]] = {"joint": Joint, "separable": Separable}
