"""The multi-layer perceptron, plain and as a backbone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

from torch import Tensor, nn

from repro.networks.mlp_options import MLPOptions

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}


def perceptron(widths: Sequence[int], activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """x (…, first width) -> (…, last width): linear layers with the activation between them, torch's own weights."""
    layers = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), activation())]
    return nn.Sequential(*layers[:-1])


class MLP(nn.Module):
    """images (n, C, H, W) -> features (n, dim), dim the last of the `hidden` widths.

    Each layer is linear, then BatchNorm if `norm`, then the activation; also the last, as in the other
    backbones, so that what is learnt on top is the head's, unless that is to be `linear`.
    """

    Options = MLPOptions

    def __init__(self, options: Any, shape: tuple[int, ...]):
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        for fan_in, fan_out in pairwise((prod(shape), *options.hidden)):
            layers.append(nn.Linear(fan_in, fan_out, bias=not options.norm))
            layers += [nn.BatchNorm1d(fan_out)] if options.norm else []
            layers.append(ACTIVATIONS[options.activation]())
        self.net = nn.Sequential(*layers[:-1] if options.last == "linear" else layers)
        self.dim = options.hidden[-1]

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images)
