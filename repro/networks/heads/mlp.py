"""The projection head: a small perceptron between the features and the loss."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from repro.options import HeadOptions, PositiveInt


class MLP(nn.Module):
    """features (n, dim) -> (n, out): `layers` linear maps with ReLU between them, BatchNorm before it if `norm`."""

    class Options(HeadOptions):
        hidden: PositiveInt
        out: PositiveInt
        layers: PositiveInt = 2
        norm: bool = False

    def __init__(self, options: Any, dim: int, classes: int):
        super().__init__()
        widths = [dim, *[options.hidden] * (options.layers - 1)]
        blocks: list[nn.Module] = []
        for fan_in, fan_out in pairwise(widths):
            blocks.append(nn.Linear(fan_in, fan_out, bias=not options.norm))
            blocks += [nn.BatchNorm1d(fan_out)] if options.norm else []
            blocks.append(nn.ReLU(inplace=True))
        self.net = nn.Sequential(*blocks, nn.Linear(widths[-1], options.out))
        self.dim = options.out

    def forward(self, features: Tensor) -> Tensor:
        return self.net(features)
